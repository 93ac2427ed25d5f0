// SPDX-License-Identifier: Apache-2.0
#include "exec/training/learner.h"

#include <algorithm>

#include "exec/kernels/share.h"
#include "models/base/errors.h"

namespace lockstep::exec {

using network::Work;
using network::WorkKind;

namespace {

/// Several micro-batches leave their gradients elsewhere than where the batch's lie.
ExchangedMemory memory_of_model(const training::Job& job, ExchangedMemory exchanged) {
  if (job.accumulate > 1) exchanged.gradients = {};
  return exchanged;
}

bool has_averages(const training::Job& job) {
  return job.local_steps > 0 || job.staleness;
}

}  // namespace

Learner::Learner(const training::Job& job, const network::Network& network, Rank rank,
                 const ExchangedMemory& exchanged, std::int32_t iterations_done)
    : job_(job),
      rank_(rank),
      first_image_(training::first_of_share(job.batch, job.ranks, rank)),
      share_(training::first_of_share(job.batch, job.ranks, rank + 1) - first_image_),
      model_(network, (share_ + job.accumulate - 1) / job.accumulate, job.threads,
             Purpose::Training, memory_of_model(job, exchanged)),
      own_gradients_(accumulates() && exchanged.gradients.empty() ? network.flat_count : 0),
      gradients_(!accumulates() ? model_.gradients()
                 : exchanged.gradients.empty()
                     ? std::span(own_gradients_.data(), network.flat_count)
                     : exchanged.gradients.first(network.flat_count)),
      own_averages_(has_averages(job) && exchanged.averages.empty() ? network.flat_count : 0),
      averages_(!has_averages(job)           ? std::span<float>{}
                : exchanged.averages.empty() ? std::span(own_averages_.data(), network.flat_count)
                                             : exchanged.averages),
      optimizer_(job, network, iterations_done + job.iterations),
      parts_before_(std::int64_t{iterations_done} * job.ranks) {
  loss_sums_.reserve(static_cast<std::size_t>(job.iterations));
  model_.initialise(job.seed);
  if (job.staleness) std::ranges::copy(parameters(), averages_.begin());
}

std::int32_t Learner::images_of(Rank rank, std::int32_t micro_batch) const {
  const std::int32_t share = training::first_of_share(job_.batch, job_.ranks, rank + 1) -
                             training::first_of_share(job_.batch, job_.ranks, rank);
  return network::first_of_part(share, job_.accumulate, micro_batch + 1) -
         network::first_of_part(share, job_.accumulate, micro_batch);
}

void Learner::bind(const float* images, const std::int32_t* labels, std::int32_t iteration,
                   std::int32_t micro_batch) {
  iteration_ = iteration;
  if (micro_batch == 0 && job_.noise_scale) {
    part_squares_.push_back(0);
    whole_squares_.push_back(0);
  }
  std::int32_t normalised = 0;
  if (job_.batch_norm == training::BatchNorm::Synchronised)
    for (Rank rank = 0; rank < job_.ranks; ++rank)
      normalised += images_of(rank, micro_batch);
  const std::int32_t first =
      first_image_ + network::first_of_part(share_, job_.accumulate, micro_batch);
  model_.bind({.images = images,
               .labels = labels,
               .count = images_of(rank_, micro_batch),
               .normalised_images = normalised,
               .seed = job_.seed,
               .iteration = static_cast<std::uint64_t>(iteration),
               .first_image = static_cast<std::uint64_t>(first)});
}

void Learner::compute(const Work& row) {
  switch (row.kind) {
    case WorkKind::Input:
      LOCKSTEP_CHECK(false, "input is not for the learner");
    case WorkKind::Sums:
      return model_.sums(row.stage);
    case WorkKind::Forward:
      return model_.forward(row.stage);
    case WorkKind::Loss:
      if (row.micro_batch == 0) loss_sums_.push_back(0);
      loss_sums_.back() +=
          model_.loss(1.0 / (training::is_local(job_, iteration_) ? share_ : job_.batch));
      return;
    case WorkKind::GradientSums:
      return model_.gradient_sums(row.stage);
    case WorkKind::Backward:
      return model_.backward(row.stage);
    case WorkKind::Accumulate:
      return accumulate(row);
    case WorkKind::PartNorm: {
      // Gradients are of the sum over the images ÷ the global batch.
      const double to_mean = static_cast<double>(job_.batch) / images_of(rank_, row.micro_batch);
      part_squares_.back() += to_mean * to_mean * squared_norm(row, micro_gradients());
      return;
    }
    case WorkKind::WholeNorm:
      whole_squares_.back() += squared_norm(row, gradients());
      return;
    case WorkKind::Update:
      return optimizer_.update(row.first, row.count, iteration_, parameters(), gradients(),
                               model_.team());
    case WorkKind::Weigh: {
      const auto weight = static_cast<float>(static_cast<double>(share_) / job_.batch);
      return for_elements(row, [&](std::size_t i) { averages_[i] = weight * parameters()[i]; });
    }
    case WorkKind::Adopt:
      return for_elements(row, [&](std::size_t i) { parameters()[i] = averages_[i]; });
    case WorkKind::Apply:
    case WorkKind::HandOut:
      LOCKSTEP_CHECK(false, "what is served is not for the compute lane");
  }
}

void Learner::apply(std::uint64_t first, std::span<const float> gradients) {
  optimizer_.apply(first, parts_before_ + parts_[first]++, averages_, gradients);
}

/// Calls function(i) for the row's elements, shared by the team.
template <typename Function>
void Learner::for_elements(const Work& row, const Function& function) {
  Team& team = model_.team();
  team.run([&](std::size_t part) {
    const Range mine = exec::share(row.count, part, team.size());
    for (std::size_t i = mine.first; i < mine.last; ++i)
      function(row.first + i);
  });
}

double Learner::squared_norm(const Work& row, std::span<const float> values) {
  return optimizer_.squared_norm(row.first, row.count, values, model_.team());
}

void Learner::accumulate(const Work& row) {
  Team& team = model_.team();
  team.run([&](std::size_t part) {
    const Range mine = exec::share(row.count, part, team.size());
    const float* const from = micro_gradients().data() + row.first;
    float* const into = gradients_.data() + row.first;
    if (row.micro_batch == 0)
      std::copy(from + mine.first, from + mine.last, into + mine.first);
    else
      for (std::size_t i = mine.first; i < mine.last; ++i)
        into[i] += from[i];
  });
}

}  // namespace lockstep::exec
