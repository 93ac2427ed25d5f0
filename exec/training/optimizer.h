// SPDX-License-Identifier: Apache-2.0
// The Update rows: one step of the job's optimizer on a bucket, tensor by tensor.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "exec/kernels/team.h"
#include "exec/learning/sgd.h"
#include "models/network/network.h"
#include "models/training/job.h"

namespace lockstep::exec {

/// What an optimizer keeps of every parameter, by PyTorch's names: "momentum_buffer", or "exp_avg"
/// and "exp_avg_sq".
std::vector<std::string> state_names(network::Optimizer optimizer);

/// A step depends neither on the number of threads nor on how the tensors are dealt out to buckets;
/// a bucket holds whole tensors.
class Optimizer {
 public:
  /// `iterations`: updates of the whole training, which the rate's schedule is laid out over.
  Optimizer(const training::Job& job, const network::Network& network, std::int32_t iterations);

  /// Carries out update `iteration` on elements [first, first + count) of the flat buffers.
  void update(std::uint64_t first, std::uint64_t count, std::int32_t iteration,
              std::span<float> parameters, std::span<const float> gradients, Team& team);

  /// Applies one rank's part of the gradient to elements [first, first + gradients.size()) of the
  /// flat `parameters`, on the calling thread. So many parts were applied to them before (`parts`):
  /// the first of each job.ranks takes the step of update ⌊parts ÷ ranks⌋, the others add to it.
  /// For SGD, with momentum or Nesterov's, whose steps are linear in the gradient.
  void apply(std::uint64_t first, std::int64_t parts, std::span<float> parameters,
             std::span<const float> gradients);

  /// Σ x² over those of [first, first + count) that are learnt; the same for any number of threads.
  double squared_norm(std::uint64_t first, std::uint64_t count, std::span<const float> values,
                      Team& team) const;

  /// The flat buffers of what state_names() says, one behind the other.
  std::span<float> state() { return state_; }

 private:
  /// Consecutive elements that are treated alike. What decays, decays as weights do.
  struct Run {
    std::uint64_t first = 0;
    std::uint64_t last = 0;  // one past
    bool learnt = true;      // else tracked
    bool decays = false;
    float ratio = 1;
    std::size_t size() const { return static_cast<std::size_t>(last - first); }
  };
  struct Flat;
  std::vector<Run> runs_in(std::uint64_t first, std::uint64_t last) const;
  void find_ratios(std::vector<Run>& runs, const Flat& flat, std::int32_t iteration, Team& team);
  void step(const Run& run, const Flat& flat, std::int32_t iteration) const;
  SgdStep sgd_step(const Run& run, std::int32_t iteration) const;
  float decay_of(const Run& run) const;
  float rate(std::int32_t iteration) const;

  training::Job job_;
  std::int32_t iterations_;
  std::uint64_t flat_count_;
  std::vector<Run> runs_;  // ascending
  std::vector<float> state_;
};

}  // namespace lockstep::exec
