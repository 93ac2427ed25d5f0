// SPDX-License-Identifier: Apache-2.0
// A network that learns: its arithmetic and its optimizer, which carry out all rows of the work
// table but Input.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "exec/kernels/model.h"
#include "exec/training/optimizer.h"
#include "models/network/network.h"
#include "models/network/work.h"
#include "models/training/job.h"

namespace lockstep::exec {

/// The gradient is that of the mean loss over the *global* batch, so gradients of ranks are summed;
/// in local iterations that of the mean over the rank's share.
class Learner {
 public:
  /// Of rank `rank` of `job`; its parameters follow from the job's seed. The rate's schedule is
  /// laid out over the job's iterations and the `iterations_done` before them.
  Learner(const training::Job& job, const network::Network& network, Rank rank,
          const ExchangedMemory& exchanged = {}, std::int32_t iterations_done = 0);

  /// Images of this rank's share of every batch.
  std::int32_t share() const { return share_; }

  /// What the rows of a micro-batch work on: its images of the share and their labels, which must
  /// stay until its loss and backward rows are done.
  void bind(const float* images, const std::int32_t* labels, std::int32_t iteration,
            std::int32_t micro_batch = 0);
  void compute(const network::Work& row);

  std::span<float> parameters() { return model_.parameters(); }
  /// Of the batch. Of a micro-batch, where there are several.
  std::span<float> gradients() { return gradients_; }
  std::span<float> micro_gradients() { return model_.gradients(); }
  /// Applies a rank's gradients to elements of averages() from `first` on. Not on the compute lane;
  /// one call at a time.
  void apply(std::uint64_t first, std::span<const float> gradients);
  /// Of parameters, with local steps; with staleness those that this rank serves, which begin as
  /// its own; elsewhere empty.
  std::span<float> averages() { return averages_; }
  std::span<float> sums() { return model_.sum_buffer(); }
  /// What the optimizer keeps: the flat buffers of state_names(), one behind the other.
  std::span<float> optimizer_state() { return optimizer_.state(); }
  /// With the job's noise scale, for each iteration so far: |gradient|² of the mean over each
  /// micro-batch, added up, and of the mean over the batch.
  const std::vector<double>& part_squares() const { return part_squares_; }
  const std::vector<double>& whole_squares() const { return whole_squares_; }
  /// For each iteration so far: the sum of its images' losses.
  const std::vector<double>& loss_sums() const { return loss_sums_; }

 private:
  bool accumulates() const { return job_.accumulate > 1; }
  void accumulate(const network::Work& row);
  double squared_norm(const network::Work& row, std::span<const float> values);
  template <typename Function>
  void for_elements(const network::Work& row, const Function& function);
  std::int32_t images_of(Rank rank, std::int32_t micro_batch) const;

  training::Job job_;
  Rank rank_;
  std::int32_t first_image_;
  std::int32_t share_;
  Model model_;
  FloatBuffer own_gradients_;  // of the batch, with several micro-batches
  std::span<float> gradients_;
  FloatBuffer own_averages_;
  std::span<float> averages_;
  Optimizer optimizer_;
  std::int64_t parts_before_;                    // gradients that were applied before this training
  std::map<std::uint64_t, std::int64_t> parts_;  // since then, by first element of a shard
  std::int32_t iteration_ = 0;
  std::vector<double> loss_sums_;
  std::vector<double> part_squares_;
  std::vector<double> whole_squares_;
};

}  // namespace lockstep::exec
