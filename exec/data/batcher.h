// SPDX-License-Identifier: Apache-2.0
// Which images a rank sees in which iteration, and their way into the network's input buffer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "exec/data/idx.h"
#include "models/base/ids.h"

namespace lockstep::exec {

/// Images first … first + labels.size() − 1 of a set, in the order of the file (for testing).
/// `pixels` takes them as height × width × channels, from 0 (byte 0) to 1 (byte 255).
void fill_range(const ImageSet& images, std::int32_t first, std::span<float> pixels,
                std::span<std::int32_t> labels);

/// One rank's share of every batch. Each epoch goes through all images in an order of its own,
/// which follows from the seed and the epoch alone, so that the global batch of an iteration is the
/// same for any number of ranks. Batch i of an epoch is the positions [i × batch, (i + 1) × batch)
/// of its order; what is left at an epoch's end, less than a batch, is dropped.
class Batcher {
 public:
  /// `images` must outlive the batcher and hold at least one batch (check_fits).
  Batcher(const ImageSet& images, std::int32_t batch, std::int32_t ranks, Rank rank,
          std::uint64_t seed);

  std::int32_t iterations_per_epoch() const { return images_.count() / batch_; }
  /// Images in this rank's share (training::first_of_share).
  std::int32_t share() const { return share_; }

  /// Writes this rank's share of the batch of `iteration` (0 is the first one of the job): `pixels`
  /// as fill_range does, share() labels. Does not allocate. Iterations may come in any order,
  /// but a change of the epoch costs drawing its order (one pass over the images' numbers).
  void fill(std::int32_t iteration, std::span<float> pixels, std::span<std::int32_t> labels);

 private:
  void draw_order(std::int32_t epoch);

  const ImageSet& images_;
  std::int32_t batch_ = 0;
  std::int32_t first_ = 0;  // of the share, within a batch
  std::int32_t share_ = 0;
  std::uint64_t seed_ = 0;
  std::int32_t epoch_ = -1;  // whose order is in order_
  std::vector<std::int32_t> order_;
};

}  // namespace lockstep::exec
