// SPDX-License-Identifier: Apache-2.0
#include "exec/data/batcher.h"

#include <numeric>

#include "models/base/errors.h"
#include "models/base/random.h"
#include "models/training/job.h"

namespace lockstep::exec {

namespace {

/// Keeps these random numbers apart from others that are drawn from the same seed.
constexpr std::uint64_t kStream = 0x6f72646572;  // "order"

void convert(const ImageSet& images, std::int32_t image, float* into) {
  const std::size_t size = images.pixels_per_image();
  const std::uint8_t* from = images.pixels.data() + static_cast<std::size_t>(image) * size;
  for (std::size_t i = 0; i < size; ++i)
    into[i] = static_cast<float>(from[i]) / 255.0f;
}

}  // namespace

void fill_range(const ImageSet& images, std::int32_t first, std::span<float> pixels,
                std::span<std::int32_t> labels) {
  const std::size_t size = images.pixels_per_image();
  LOCKSTEP_CHECK(pixels.size() == labels.size() * size,
                 "room for " + std::to_string(pixels.size()) + " pixels, not " +
                     std::to_string(labels.size() * size));
  LOCKSTEP_CHECK(
      first >= 0 && static_cast<std::size_t>(first) + labels.size() <= images.labels.size(),
      "images from " + std::to_string(first) + " of " + std::to_string(images.count()));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::int32_t image = first + static_cast<std::int32_t>(i);
    convert(images, image, pixels.data() + i * size);
    labels[i] = images.labels[static_cast<std::size_t>(image)];
  }
}

Batcher::Batcher(const ImageSet& images, std::int32_t batch, std::int32_t ranks, Rank rank,
                 std::uint64_t seed)
    : images_(images),
      batch_(batch),
      first_(training::first_of_share(batch, ranks, rank)),
      share_(training::first_of_share(batch, ranks, rank + 1) - first_),
      seed_(seed),
      order_(images.labels.size()) {
  LOCKSTEP_CHECK(batch > 0 && images.count() >= batch,
                 std::to_string(images.count()) + " images, batch " + std::to_string(batch));
}

void Batcher::draw_order(std::int32_t epoch) {
  std::iota(order_.begin(), order_.end(), 0);
  Random(seed_, kStream, static_cast<std::uint64_t>(epoch)).shuffle(order_);
  epoch_ = epoch;
}

void Batcher::fill(std::int32_t iteration, std::span<float> pixels,
                   std::span<std::int32_t> labels) {
  const std::size_t size = images_.pixels_per_image();
  LOCKSTEP_CHECK(
      labels.size() == static_cast<std::size_t>(share_) && pixels.size() == labels.size() * size,
      "room for " + std::to_string(labels.size()) + " labels and " + std::to_string(pixels.size()) +
          " pixels, share " + std::to_string(share_));
  const std::int32_t epoch = iteration / iterations_per_epoch();
  if (epoch != epoch_) draw_order(epoch);
  const std::int32_t first = iteration % iterations_per_epoch() * batch_ + first_;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::int32_t image = order_[static_cast<std::size_t>(first) + i];
    convert(images_, image, pixels.data() + i * size);
    labels[i] = images_.labels[static_cast<std::size_t>(image)];
  }
}

}  // namespace lockstep::exec
