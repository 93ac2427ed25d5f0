// SPDX-License-Identifier: Apache-2.0
// A rank's images on their way into the network: read ahead on threads of their own, in order.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "exec/data/batcher.h"
#include "exec/data/image_set.h"

namespace lockstep::exec {

/// Turns bytes into the network's numbers: (byte/255 − mean) / deviation, each channel its own.
class Normaliser {
 public:
  /// One of each for all channels, or for each channel; deviations are positive.
  Normaliser(std::int32_t channels, std::span<const double> mean,
             std::span<const double> deviation);
  void apply(std::span<const std::uint8_t> pixels, std::span<float> into) const;

 private:
  // For whole vectors of pixels in turn: 48 = 16 pixels of 3 channels = 48 of one.
  static constexpr std::size_t kPeriod = 48;
  float shift_[kPeriod];
  float scale_[kPeriod];
};

/// The batches of one rank, part by part (Batcher), one iteration after the other.
///
/// With threads, parts are read ahead into a ring of kBatchesAhead, image by image, so memory is
/// bounded, and take() waits until its own is there. Without, take() reads it then.
///
/// An image whose file cannot be used is replaced by the next in number that can: every rank would
/// replace it by the same. Throws ConfigError if there is none.
class Loader {
 public:
  static constexpr std::int32_t kBatchesAhead = 2;

  /// `images` must outlive it. It begins with part `first`.
  Loader(const ImageSet& images, Batcher batcher, const Normaliser& normaliser,
         std::int32_t threads, std::int64_t first = 0);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  std::int32_t share() const { return batcher_.share(); }

  /// Images in the part that is taken next, and in the largest.
  std::int32_t next_size() const { return batcher_.size(taken_); }
  std::int32_t most() const { return batcher_.most(); }

  /// Writes the next part: next_size() × format().bytes() numbers, next_size() labels. Throws what
  /// reading threw.
  void take(std::span<float> pixels, std::span<std::int32_t> labels);

  /// Images read so far, and the processor time it took.
  struct Cost {
    std::int64_t images = 0;
    double core_seconds = 0;
  };
  Cost cost() const;

 private:
  /// A part that is being read, or is there.
  struct Slot {
    std::vector<std::uint8_t> pixels;
    std::vector<std::int32_t> labels;
    std::int32_t missing = 0;  // images not yet read
  };
  void read_ahead();
  std::int32_t read(ImageReader& reader, std::int32_t image, std::int32_t epoch,
                    std::uint8_t* pixels) const;
  Slot& slot(std::int64_t part) { return slots_[static_cast<std::size_t>(part) % slots_.size()]; }

  const ImageSet& images_;
  Batcher batcher_;
  Normaliser normaliser_;
  std::unique_ptr<ImageReader> own_reader_;  // without threads

  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::condition_variable ready_;
  std::vector<Slot> slots_;
  std::int64_t taken_;              // the part that is to be taken next
  std::int64_t next_part_;          // the image that is to be read next:
  std::int32_t next_position_ = 0;  // … its place in its part
  bool over_ = false;
  std::exception_ptr error_;
  Cost cost_;
  std::vector<std::jthread> threads_;
};

}  // namespace lockstep::exec
