// SPDX-License-Identifier: Apache-2.0
// Which images a rank sees in which iteration.
#pragma once

#include <cstdint>
#include <vector>

#include "models/base/ids.h"
#include "models/training/batch_growth.h"

namespace lockstep::exec {

/// The first iteration with a batch of some size, and where in the data it begins.
struct DataStart {
  std::int32_t iteration = 0;
  training::DataPlace place{};
};

/// One rank's share of every batch, in parts: its micro-batches, one after the other; part
/// i × micro_batches + m is micro-batch m of iteration i. Each epoch goes through all images in an
/// order of its own, which follows from the seed and the epoch alone, so that the global batch of
/// an iteration is the same for any number of ranks. Batch i of an epoch is the positions [i ×
/// batch, (i + 1) × batch) of its order; what is left at an epoch's end, less than a batch, is
/// dropped.
class Batcher {
 public:
  /// `images` is how many there are, at least a batch (check_fits). Iterations before the start are
  /// not asked for.
  Batcher(std::int32_t images, std::int32_t batch, std::int32_t ranks, Rank rank,
          std::uint64_t seed, std::int32_t micro_batches = 1, const DataStart& start = {});

  std::int32_t iterations_per_epoch() const;
  std::int32_t micro_batches() const { return micro_batches_; }
  /// Images in this rank's share (training::first_of_share).
  std::int32_t share() const { return share_; }
  /// Images in the largest part.
  std::int32_t most() const { return (share_ + micro_batches_ - 1) / micro_batches_; }
  /// Images in a part, and the place of the first of them in the share.
  std::int32_t size(std::int64_t part) const;
  std::int32_t first(std::int64_t part) const;
  std::int32_t epoch(std::int64_t part) const { return place(part).epoch; }

  /// The image at `position`, from 0 to size(part) − 1, of a part (0 is the first one of the job).
  /// Parts may come in any order, but a change of the epoch costs drawing its order (one pass over
  /// the images' numbers).
  std::int32_t image(std::int64_t part, std::int32_t position);

 private:
  void draw_order(std::int32_t epoch);
  /// Where the part's batch begins.
  training::DataPlace place(std::int64_t part) const;

  std::int32_t batch_ = 0;
  std::int32_t first_ = 0;  // of the share, within a batch
  std::int32_t share_ = 0;
  std::int32_t micro_batches_ = 1;
  std::uint64_t seed_ = 0;
  DataStart start_;
  std::int32_t epoch_ = -1;  // whose order is in order_
  std::vector<std::int32_t> order_;
};

}  // namespace lockstep::exec
