// SPDX-License-Identifier: Apache-2.0
// One rank's copy of the network in training: carries out the rows of the work table on real
// images.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "exec/data/batcher.h"
#include "exec/runner/executor.h"
#include "exec/training/learner.h"
#include "models/network/network.h"
#include "models/training/iteration.h"
#include "models/training/job.h"

namespace lockstep::exec {

/// Input fills the images of the next iteration while this one computes, so the two sets of input
/// buffers are used in turn; the first iteration's are filled by the constructor.
class Replica final : public Worker {
 public:
  /// All arguments but `job` and `rank` must outlive it. The first iteration that it carries out is
  /// number `iterations_done` of the training. `memory`: exchanged_floats(), zeroed, where what is
  /// sent and received is to lie; empty = memory of its own.
  Replica(const training::Job& job, const network::Network& network,
          const training::Iteration& iteration, const Dataset& data, Rank rank,
          std::int32_t iterations_done = 0, std::span<float> memory = {});
  static std::size_t exchanged_floats(const network::Network& network,
                                      const training::Iteration& iteration);

  void compute(std::int32_t work, std::int32_t iteration) override;
  std::span<float> buffer(std::uint32_t number) override;

  /// Of this rank's share of each batch so far: the sum of its images' losses.
  const std::vector<double>& loss_sums() const { return learner_.loss_sums(); }
  /// Images of this rank's share of every batch.
  std::int32_t share() const { return batcher_.share(); }
  std::span<float> parameters() { return learner_.parameters(); }
  std::span<float> velocity() { return learner_.velocity(); }
  /// A number that differs, but for one chance in 2⁶⁴, when any bit of the parameters does.
  std::uint64_t hash();

 private:
  /// The buffers that are sent and received.
  struct Exchanged {
    ExchangedMemory of_model;
    std::span<float> scratch;
  };
  Exchanged divide(const network::Network& network, std::span<float> memory) const;

  /// The images and labels of one iteration's share.
  struct Input {
    std::vector<float> images;
    std::vector<std::int32_t> labels;
  };
  void fill(std::int32_t iteration);

  const training::Iteration& iteration_;
  std::int32_t iterations_done_;  // before this replica
  FloatBuffer own_memory_;
  Exchanged exchanged_;
  Batcher batcher_;
  Learner learner_;
  std::array<Input, 2> inputs_;
};

/// Correctly classified images among [first, first + count) of a set, under `parameters`.
std::int32_t count_correct(const network::Network& network, std::span<const float> parameters,
                           const ImageSet& images, std::int32_t first, std::int32_t count,
                           std::int32_t threads);

}  // namespace lockstep::exec
