// SPDX-License-Identifier: Apache-2.0
#include "exec/training/learner.h"

#include <algorithm>

#include "exec/kernels/share.h"
#include "exec/learning/running_mean.h"
#include "exec/learning/sgd.h"
#include "models/base/errors.h"

namespace lockstep::exec {

using network::Work;
using network::WorkKind;

Learner::Learner(const training::Job& job, const network::Network& network, Rank rank,
                 const ExchangedMemory& exchanged)
    : job_(job),
      first_image_(training::first_of_share(job.batch, job.ranks, rank)),
      share_(training::first_of_share(job.batch, job.ranks, rank + 1) - first_image_),
      model_(network, share_, job.threads, Purpose::Training, exchanged),
      velocity_(network.flat_count) {
  for (const network::Layer& layer : network.layers)
    for (const network::Parameter& parameter : layer.parameters)
      if (!parameter.learnt)
        tracked_.emplace_back(parameter.first, parameter.first + parameter.count);
  std::sort(tracked_.begin(), tracked_.end());
  loss_sums_.reserve(static_cast<std::size_t>(job.iterations));
  model_.initialise(job.seed);
}

void Learner::bind(const float* images, const std::int32_t* labels, std::int32_t iteration) {
  const bool synchronised = job_.batch_norm == training::BatchNorm::Synchronised;
  model_.bind({.images = images,
               .labels = labels,
               .count = share_,
               .normalised_images = synchronised ? job_.batch : 0,
               .seed = job_.seed,
               .iteration = static_cast<std::uint64_t>(iteration),
               .first_image = static_cast<std::uint64_t>(first_image_)});
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
      loss_sums_.push_back(model_.loss(1.0 / job_.batch));
      return;
    case WorkKind::GradientSums:
      return model_.gradient_sums(row.stage);
    case WorkKind::Backward:
      return model_.backward(row.stage);
    case WorkKind::Update:
      return update(row.first, row.count);
  }
}

// What is tracked lies between what is learnt.
void Learner::update(std::uint64_t first, std::uint64_t count) {
  const std::uint64_t end = first + count;
  for (const auto& [begin, tracked_end] : tracked_) {
    if (tracked_end <= first || begin >= end) continue;
    learn(first, begin);
    move_running_mean(parameters().subspan(begin, tracked_end - begin),
                      gradients().subspan(begin, tracked_end - begin),
                      static_cast<float>(network::kBatchNormMomentum));
    first = tracked_end;
  }
  learn(first, end);
}

void Learner::learn(std::uint64_t first, std::uint64_t end) {
  Team& team = model_.team();
  team.run([&](std::size_t part) {
    const Range mine = exec::share(end - first, part, team.size());
    const auto part_of = [&](std::span<float> all) {
      return all.subspan(first + mine.first, mine.size());
    };
    sgd_momentum(part_of(parameters()), part_of(velocity_), part_of(gradients()),
                 static_cast<float>(job_.learning_rate), static_cast<float>(job_.momentum));
  });
}

}  // namespace lockstep::exec
