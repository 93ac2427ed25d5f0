// SPDX-License-Identifier: Apache-2.0
// One rank's copy of the network in training: carries out the rows of the work table on real
// images.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "exec/data/batcher.h"
#include "exec/kernels/model.h"
#include "exec/runner/executor.h"
#include "models/network/network.h"
#include "models/training/iteration.h"
#include "models/training/job.h"

namespace lockstep::exec {

/// Input fills the images of the next iteration while this one computes, so the two sets of input
/// buffers are used in turn; the first iteration's are filled by the constructor.
/// The gradient is that of the mean loss over the *global* batch, so gradients of ranks are summed.
class Replica final : public Worker {
 public:
  /// All arguments but `job` and `rank` must outlive it.
  Replica(const training::Job& job, const network::Network& network,
          const training::Iteration& iteration, const Dataset& data, Rank rank);

  void compute(std::int32_t work, std::int32_t iteration) override;
  std::span<float> buffer(std::uint32_t number) override;

  /// Of this rank's share of each batch so far: the sum of its images' losses.
  const std::vector<double>& loss_sums() const { return loss_sums_; }
  /// Images of this rank's share of every batch.
  std::int32_t share() const { return batcher_.share(); }
  std::span<const float> parameters() const { return parameters_; }
  /// A number that differs, but for one chance in 2⁶⁴, when any bit of the parameters does.
  std::uint64_t hash() const;

 private:
  /// The images and labels of one iteration's share.
  struct Input {
    std::vector<float> images;
    std::vector<std::int32_t> labels;
  };
  void fill(std::int32_t iteration);
  void bind(std::int32_t iteration);
  void update(std::uint64_t first, std::uint64_t count);
  void learn(std::uint64_t first, std::uint64_t end);

  const training::Iteration& iteration_;
  Batcher batcher_;
  Model model_;
  std::span<float> parameters_;
  double gradient_scale_;  // 1 ÷ global batch
  std::int32_t batch_;     // global
  std::uint64_t first_image_;
  std::uint64_t seed_;
  bool synchronises_;
  float learning_rate_;
  float momentum_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>>
      tracked_;  // first and end of what is tracked
  std::vector<float> velocity_;
  std::vector<float> scratch_;
  std::array<Input, 2> inputs_;
  std::vector<double> loss_sums_;
};

/// Correctly classified images among [first, first + count) of a set, under `parameters`.
std::int32_t count_correct(const network::Network& network, std::span<const float> parameters,
                           const ImageSet& images, std::int32_t first, std::int32_t count,
                           std::int32_t threads);

}  // namespace lockstep::exec
