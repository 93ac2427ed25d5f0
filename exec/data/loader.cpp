// SPDX-License-Identifier: Apache-2.0
#include "exec/data/loader.h"

#include <algorithm>
#include <ctime>
#include <string>
#include <utility>

#include "models/base/errors.h"

namespace lockstep::exec {

Normaliser::Normaliser(std::int32_t channels, std::span<const double> mean,
                       std::span<const double> deviation) {
  LOCKSTEP_CHECK(!mean.empty() && !deviation.empty() && kPeriod % std::size_t(channels) == 0,
                 std::to_string(channels) + " channels");
  for (std::size_t i = 0; i < kPeriod; ++i) {
    const std::size_t channel = i % static_cast<std::size_t>(channels);
    shift_[i] = static_cast<float>(255 * mean[channel % mean.size()]);
    scale_[i] = static_cast<float>(255 * deviation[channel % deviation.size()]);
  }
}

void Normaliser::apply(std::span<const std::uint8_t> pixels, std::span<float> into) const {
  for (std::size_t first = 0; first < pixels.size(); first += kPeriod) {
    const std::uint8_t* const from = pixels.data() + first;
    float* const to = into.data() + first;
    if (pixels.size() - first >= kPeriod)  // a constant count makes whole vectors of it
      for (std::size_t i = 0; i < kPeriod; ++i)
        to[i] = (static_cast<float>(from[i]) - shift_[i]) / scale_[i];
    else
      for (std::size_t i = 0; i < pixels.size() - first; ++i)
        to[i] = (static_cast<float>(from[i]) - shift_[i]) / scale_[i];
  }
}

namespace {

double thread_seconds() {
  std::timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

Loader::Loader(const ImageSet& images, Batcher batcher, const Normaliser& normaliser,
               std::int32_t threads, std::int64_t first)
    : images_(images),
      batcher_(std::move(batcher)),
      normaliser_(normaliser),
      slots_(threads > 0 ? kBatchesAhead : 1),
      taken_(first),
      next_part_(first) {
  const auto most = static_cast<std::size_t>(batcher_.most());
  for (Slot& slot : slots_) {
    slot.pixels.resize(most * images.format().bytes());
    slot.labels.resize(most);
  }
  for (std::size_t ahead = 0; ahead < slots_.size(); ++ahead)
    slot(first + static_cast<std::int64_t>(ahead)).missing =
        batcher_.size(first + static_cast<std::int64_t>(ahead));
  if (threads == 0) own_reader_ = images.reader();
  for (std::int32_t thread = 0; thread < threads; ++thread)
    threads_.emplace_back([this] { read_ahead(); });
}

Loader::~Loader() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  room_.notify_all();
}

/// Reads the image, or the next that can be used, and returns its label.
std::int32_t Loader::read(ImageReader& reader, std::int32_t image, std::int32_t epoch,
                          std::uint8_t* pixels) const {
  for (std::int32_t tried = 0; tried < images_.count(); ++tried) {
    if (reader.read(image, epoch, pixels)) return images_.label(image);
    image = (image + 1) % images_.count();
  }
  throw ConfigError("none of the " + std::to_string(images_.count()) +
                    " training images can be used: " + images_.faults().front().file + " " +
                    images_.faults().front().reason);
}

void Loader::read_ahead() {
  std::unique_lock lock(mutex_);
  try {
    const std::unique_ptr<ImageReader> reader = images_.reader();
    while (true) {
      room_.wait(lock, [this] { return over_ || next_part_ < taken_ + kBatchesAhead; });
      if (over_) return;
      const std::int64_t part = next_part_;
      const std::int32_t position = next_position_++;
      if (next_position_ == batcher_.size(part)) {
        next_position_ = 0;
        ++next_part_;
      }
      const std::int32_t image = batcher_.image(part, position);
      Slot& place = slot(part);
      lock.unlock();
      const double start = thread_seconds();
      const auto index = static_cast<std::size_t>(position);
      place.labels[index] = read(*reader, image, batcher_.epoch(part),
                                 place.pixels.data() + index * images_.format().bytes());
      const double seconds = thread_seconds() - start;
      lock.lock();
      cost_.core_seconds += seconds;
      ++cost_.images;
      if (--place.missing == 0) ready_.notify_one();
    }
  } catch (...) {
    if (!lock.owns_lock()) lock.lock();
    if (!error_) error_ = std::current_exception();
    over_ = true;
    ready_.notify_one();
    room_.notify_all();
  }
}

void Loader::take(std::span<float> pixels, std::span<std::int32_t> labels) {
  const auto size = static_cast<std::size_t>(next_size());
  LOCKSTEP_CHECK(labels.size() == size && pixels.size() == labels.size() * images_.format().bytes(),
                 "room for " + std::to_string(labels.size()) + " labels and " +
                     std::to_string(pixels.size()) + " pixels, share " + std::to_string(share()));
  Slot& place = slot(taken_);
  if (own_reader_) {
    const double start = thread_seconds();
    for (std::int32_t position = 0; position < next_size(); ++position) {
      const auto index = static_cast<std::size_t>(position);
      place.labels[index] =
          read(*own_reader_, batcher_.image(taken_, position), batcher_.epoch(taken_),
               place.pixels.data() + index * images_.format().bytes());
    }
    cost_.core_seconds += thread_seconds() - start;
    cost_.images += next_size();
  } else {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return place.missing == 0 || error_; });
    if (error_) std::rethrow_exception(error_);
  }
  normaliser_.apply(std::span(place.pixels).first(pixels.size()), pixels);
  std::copy_n(place.labels.begin(), size, labels.begin());
  const std::lock_guard lock(mutex_);
  place.missing = batcher_.size(taken_ + static_cast<std::int64_t>(slots_.size()));
  ++taken_;
  room_.notify_all();
}

Loader::Cost Loader::cost() const {
  const std::lock_guard lock(mutex_);
  return cost_;
}

}  // namespace lockstep::exec
