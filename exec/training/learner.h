// SPDX-License-Identifier: Apache-2.0
// A network that learns: its arithmetic and its optimizer, which carry out all rows of the work
// table but Input.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "exec/kernels/model.h"
#include "models/network/network.h"
#include "models/network/work.h"
#include "models/training/job.h"

namespace lockstep::exec {

/// The gradient is that of the mean loss over the *global* batch, so gradients of ranks are summed.
class Learner {
 public:
  /// Of rank `rank` of `job`; its parameters follow from the job's seed.
  Learner(const training::Job& job, const network::Network& network, Rank rank,
          const ExchangedMemory& exchanged = {});

  /// Images of this rank's share of every batch.
  std::int32_t share() const { return share_; }

  /// What the rows of iteration `iteration` work on: share() images and labels, which must stay
  /// until its loss and backward rows are done.
  void bind(const float* images, const std::int32_t* labels, std::int32_t iteration);
  void compute(const network::Work& row);

  std::span<float> parameters() { return model_.parameters(); }
  std::span<float> gradients() { return model_.gradients(); }
  std::span<float> sums() { return model_.sum_buffer(); }
  std::span<float> velocity() { return velocity_; }
  /// For each Loss row so far: the sum of its images' losses.
  const std::vector<double>& loss_sums() const { return loss_sums_; }

 private:
  void update(std::uint64_t first, std::uint64_t count);
  void learn(std::uint64_t first, std::uint64_t end);

  training::Job job_;
  std::int32_t first_image_;
  std::int32_t share_;
  Model model_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> tracked_;  // first and end, ascending
  std::vector<float> velocity_;
  std::vector<double> loss_sums_;
};

}  // namespace lockstep::exec
