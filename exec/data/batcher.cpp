// SPDX-License-Identifier: Apache-2.0
#include "exec/data/batcher.h"

#include <numeric>
#include <string>

#include "models/base/errors.h"
#include "models/base/random.h"
#include "models/training/job.h"

namespace lockstep::exec {

namespace {

/// Keeps these random numbers apart from others that are drawn from the same seed.
constexpr std::uint64_t kStream = 0x6f72646572;  // "order"

}  // namespace

Batcher::Batcher(std::int32_t images, std::int32_t batch, std::int32_t ranks, Rank rank,
                 std::uint64_t seed, std::int32_t micro_batches, const DataStart& start)
    : batch_(batch),
      first_(training::first_of_share(batch, ranks, rank)),
      share_(training::first_of_share(batch, ranks, rank + 1) - first_),
      micro_batches_(micro_batches),
      seed_(seed),
      start_(start),
      order_(static_cast<std::size_t>(images)) {
  LOCKSTEP_CHECK(batch > 0 && images >= batch,
                 std::to_string(images) + " images, batch " + std::to_string(batch));
}

std::int32_t Batcher::iterations_per_epoch() const {
  return static_cast<std::int32_t>(order_.size()) / batch_;
}

void Batcher::draw_order(std::int32_t epoch) {
  std::iota(order_.begin(), order_.end(), 0);
  Random(seed_, kStream, static_cast<std::uint64_t>(epoch)).shuffle(order_);
  epoch_ = epoch;
}

std::int32_t Batcher::first(std::int64_t part) const {
  return network::first_of_part(share_, micro_batches_,
                                static_cast<std::int32_t>(part % micro_batches_));
}

std::int32_t Batcher::size(std::int64_t part) const {
  const auto micro_batch = static_cast<std::int32_t>(part % micro_batches_);
  return network::first_of_part(share_, micro_batches_, micro_batch + 1) - first(part);
}

training::DataPlace Batcher::place(std::int64_t part) const {
  const auto done = static_cast<std::int32_t>(part / micro_batches_) - start_.iteration;
  const auto images = static_cast<std::int32_t>(order_.size());
  const std::int32_t here = (images - start_.place.position) / batch_;
  if (done < here) return {start_.place.epoch, start_.place.position + done * batch_};
  const std::int32_t later = done - here, each = iterations_per_epoch();
  return {start_.place.epoch + 1 + later / each, later % each * batch_};
}

std::int32_t Batcher::image(std::int64_t part, std::int32_t position) {
  LOCKSTEP_CHECK(position >= 0 && position < size(part),
                 std::to_string(position) + " of " + std::to_string(size(part)));
  const training::DataPlace batch = place(part);
  if (batch.epoch != epoch_) draw_order(batch.epoch);
  return order_[static_cast<std::size_t>(batch.position + first_ + first(part) + position)];
}

}  // namespace lockstep::exec
