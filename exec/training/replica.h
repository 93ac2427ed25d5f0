// SPDX-License-Identifier: Apache-2.0
// One rank's copy of the network in training: carries out the rows of the work table on real
// images.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "exec/data/dataset.h"
#include "exec/data/loader.h"
#include "exec/runner/executor.h"
#include "exec/training/coder.h"
#include "exec/training/learner.h"
#include "models/network/network.h"
#include "models/training/iteration.h"
#include "models/training/job.h"

namespace lockstep::exec {

/// Input fills the images of the next micro-batch while this one computes, so the two sets of input
/// buffers are used in turn; the first one's are filled by the constructor. JPEG files are
/// decoded further ahead, by the job's decode threads.
class Replica final : public Worker {
 public:
  /// All arguments but `job` and `rank` must outlive it. The first iteration that it carries out is
  /// number `iterations_done` of the training. `memory`: exchanged_floats(), zeroed, where what is
  /// sent and received is to lie; empty = memory of its own. `data_start`: where the data began
  /// that come in batches of this size.
  Replica(const training::Job& job, const network::Network& network,
          const training::Iteration& iteration, const Dataset& data, Rank rank,
          std::int32_t iterations_done = 0, std::span<float> memory = {},
          const DataStart& data_start = {});
  static std::size_t exchanged_floats(const network::Network& network,
                                      const training::Iteration& iteration);

  void compute(std::int32_t work, std::int32_t iteration) override;
  void serve(const schedule::Step& step, std::int32_t iteration) override;
  void code(const schedule::Step& step, std::int32_t iteration) override;
  std::span<std::byte> buffer(std::uint32_t number) override;

  /// Of this rank's share of each batch so far: the sum of its images' losses.
  const std::vector<double>& loss_sums() const { return learner_.loss_sums(); }
  const std::vector<double>& part_squares() const { return learner_.part_squares(); }
  const std::vector<double>& whole_squares() const { return learner_.whole_squares(); }
  /// Images of this rank's share of every batch.
  std::int32_t share() const { return loader_.share(); }
  /// Of the images read for training so far.
  Loader::Cost input_cost() const { return loader_.cost(); }
  std::span<float> parameters() { return learner_.parameters(); }
  std::span<float> gradients() { return learner_.gradients(); }
  std::span<float> optimizer_state() { return learner_.optimizer_state(); }
  std::span<float> averages() { return learner_.averages(); }
  /// What this rank keeps for itself after `iterations` of the training, all in one: what codecs
  /// keep, and, where ranks differ (training::ranks_differ), parameters and optimizer state.
  std::vector<float> own_memory(std::int32_t iterations);
  void set_own_memory(std::int32_t iterations, std::span<const float> memory);
  /// A number that differs, but for one chance in 2⁶⁴, when any bit of the parameters does.
  std::uint64_t hash();

 private:
  /// The buffers that are sent and received.
  struct Exchanged {
    ExchangedMemory of_learner;
    std::span<float> scratch;
    std::vector<std::span<float>> codes;  // of each buffer of codes
  };
  Exchanged divide(const network::Network& network, std::span<float> memory) const;

  /// The images and labels of one part (Batcher).
  struct Input {
    std::vector<float> images;
    std::vector<std::int32_t> labels;
    std::int32_t count = 0;
  };
  std::int64_t part_of(std::int32_t iteration, std::int32_t micro_batch) const {
    return std::int64_t{iteration} * micro_batches_ + micro_batch;
  }
  Input& input_of(std::int64_t part) { return inputs_[static_cast<std::size_t>(part % 2)]; }
  void fill(std::int64_t part);
  std::vector<std::span<float>> own_parts(std::int32_t iterations);
  std::span<std::byte> memory_of(const schedule::Slice& slice);
  std::span<float> floats_of(const schedule::Slice& slice);

  training::Job job_;
  const training::Iteration& iteration_;
  std::int32_t iterations_done_;  // before this replica
  std::int32_t micro_batches_;
  FloatBuffer own_memory_;
  Exchanged exchanged_;
  Loader loader_;
  Learner learner_;
  Coder coder_;
  std::array<Input, 2> inputs_;
};

struct Classified {
  std::int32_t tested = 0;
  std::int32_t correct = 0;
};
/// Classifies images [first, first + count) of a set, but for those whose files cannot be used,
/// under `parameters`.
Classified classify(const network::Network& network, std::span<const float> parameters,
                    const ImageSet& images, const Normaliser& normaliser, std::int32_t first,
                    std::int32_t count, std::int32_t threads);

/// As the job says, for images of so many channels.
Normaliser normaliser_of(const training::Job& job, std::int32_t channels);

}  // namespace lockstep::exec
