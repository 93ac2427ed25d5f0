// SPDX-License-Identifier: Apache-2.0
#include "exec/training/replica.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "exec/kernels/share.h"
#include "exec/learning/running_mean.h"
#include "exec/learning/sgd.h"
#include "models/base/errors.h"

namespace lockstep::exec {

using network::Work;
using network::WorkKind;

Replica::Replica(const training::Job& job, const network::Network& network,
                 const training::Iteration& iteration, const Dataset& data, Rank rank)
    : iteration_(iteration),
      batcher_(data.train, job.batch, job.ranks, rank, job.seed),
      model_(network, batcher_.share(), job.threads),
      parameters_(model_.parameters()),
      gradient_scale_(1.0 / job.batch),
      batch_(job.batch),
      first_image_(
          static_cast<std::uint64_t>(training::first_of_share(job.batch, job.ranks, rank))),
      seed_(job.seed),
      synchronises_(job.batch_norm == training::BatchNorm::Synchronised),
      learning_rate_(static_cast<float>(job.learning_rate)),
      momentum_(static_cast<float>(job.momentum)),
      velocity_(network.flat_count),
      scratch_(iteration.schedule.buffers[training::kScratch].count) {
  const auto share = static_cast<std::size_t>(batcher_.share());
  for (Input& input : inputs_) {
    input.images.resize(share * network.input.elements());
    input.labels.resize(share);
  }
  for (const network::Layer& layer : network.layers)
    for (const network::Parameter& parameter : layer.parameters)
      if (!parameter.learnt)
        tracked_.push_back({parameter.first, parameter.first + parameter.count});
  std::sort(tracked_.begin(), tracked_.end());
  loss_sums_.reserve(static_cast<std::size_t>(job.iterations));
  model_.initialise(job.seed);
  fill(0);
}

void Replica::fill(std::int32_t iteration) {
  Input& input = inputs_[static_cast<std::size_t>(iteration % 2)];
  batcher_.fill(iteration, input.images, input.labels);
}

void Replica::compute(std::int32_t work, std::int32_t iteration) {
  const Work& row = iteration_.works[static_cast<std::size_t>(work)];
  switch (row.kind) {
    case WorkKind::Input:
      fill(iteration + 1);
      break;
    case WorkKind::Sums:
      if (row.stage == 0) bind(iteration);
      model_.sums(row.stage);
      break;
    case WorkKind::Forward:
      if (row.stage == 0) bind(iteration);
      model_.forward(row.stage);
      break;
    case WorkKind::Loss:
      loss_sums_.push_back(model_.loss(gradient_scale_));
      break;
    case WorkKind::GradientSums:
      model_.gradient_sums(row.stage);
      break;
    case WorkKind::Backward:
      model_.backward(row.stage);
      break;
    case WorkKind::Update:
      update(row.first, row.count);
      break;
  }
}

void Replica::bind(std::int32_t iteration) {
  const Input& input = inputs_[static_cast<std::size_t>(iteration % 2)];
  model_.bind({.images = input.images.data(),
               .labels = input.labels.data(),
               .count = batcher_.share(),
               .normalised_images = synchronises_ ? batch_ : 0,
               .seed = seed_,
               .iteration = static_cast<std::uint64_t>(iteration),
               .first_image = first_image_});
}

// What is tracked lies between what is learnt.
void Replica::update(std::uint64_t first, std::uint64_t count) {
  const std::uint64_t end = first + count;
  for (const auto& [begin, tracked_end] : tracked_) {
    if (tracked_end <= first || begin >= end) continue;
    learn(first, begin);
    move_running_mean(parameters_.subspan(begin, tracked_end - begin),
                      model_.gradients().subspan(begin, tracked_end - begin),
                      static_cast<float>(network::kBatchNormMomentum));
    first = tracked_end;
  }
  learn(first, end);
}

void Replica::learn(std::uint64_t first, std::uint64_t end) {
  model_.team().run([&](std::size_t part) {
    const Range mine = exec::share(end - first, part, model_.team().size());
    sgd_momentum(parameters_.subspan(first + mine.first, mine.size()),
                 std::span(velocity_).subspan(first + mine.first, mine.size()),
                 model_.gradients().subspan(first + mine.first, mine.size()), learning_rate_,
                 momentum_);
  });
}

std::span<float> Replica::buffer(std::uint32_t number) {
  switch (number) {
    case training::kGradients:
      return model_.gradients();
    case training::kParameters:
      return model_.parameters();
    case training::kScratch:
      return scratch_;
    case training::kSums:
      return model_.sum_buffer();
    default:
      LOCKSTEP_CHECK(false, "no buffer " + std::to_string(number));
  }
}

std::uint64_t Replica::hash() const {
  std::uint64_t hash = 0x9E3779B97F4A7C15u;
  for (const float value : parameters_)
    hash = std::rotl((hash ^ std::bit_cast<std::uint32_t>(value)) * 0xFF51AFD7ED558CCDu, 29);
  return hash;
}

std::int32_t count_correct(const network::Network& network, std::span<const float> parameters,
                           const ImageSet& images, std::int32_t first, std::int32_t count,
                           std::int32_t threads) {
  constexpr std::int32_t kBatch = 100;
  Model model(network, kBatch, threads, Purpose::Testing);
  std::copy(parameters.begin(), parameters.end(), model.parameters().begin());
  std::vector<float> pixels(kBatch * network.input.elements());
  std::vector<std::int32_t> labels(kBatch);
  std::int32_t correct = 0;
  for (std::int32_t done = 0; done < count;) {
    const std::int32_t batch = std::min(kBatch, count - done);
    const auto size = static_cast<std::size_t>(batch);
    fill_range(images, first + done, std::span(pixels).first(size * network.input.elements()),
               std::span(labels).first(size));
    correct += model.count_correct(pixels.data(), labels.data(), batch);
    done += batch;
  }
  return correct;
}

}  // namespace lockstep::exec
