// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/ring.h"

#include "models/collectives/pieces.h"

namespace lockstep::collectives {

namespace {

using schedule::Operator;
using schedule::Slice;
using schedule::Step;
using schedule::StepIndex;
using schedule::Verb;

class Ring final : public schedule::StepSource {
 public:
  explicit Ring(const AllReduce& all_reduce)
      : ranks_(all_reduce.ranks),
        data_(all_reduce.data),
        stream_(all_reduce.stream),
        chunk_(data_.count / static_cast<std::uint64_t>(ranks_)),
        larger_chunks_(data_.count % static_cast<std::uint64_t>(ranks_)),
        segments_(piece_count(ceiling_divide(data_.count, static_cast<std::uint64_t>(ranks_)),
                              all_reduce.segment_elements)) {}

  Shape shape(Rank) const override {
    // Three rounds, so that the receives of the next round are posted before this one ends.
    return {2 * static_cast<std::uint32_t>(ranks_ - 1), 2 * segments_, 3};
  }

  // Round t of the reduce-scatter sends chunk rank−t and receives chunk rank−t−1, which round t+1
  // sends on. Round u of the all-gather sends chunk rank+1−u, which the round before completed or
  // received, and receives chunk rank−u in place of the partial sum that went out in round u of
  // the reduce-scatter: hence it waits for that send.
  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override {
    const std::int32_t last = ranks_ - 1;
    const auto t = static_cast<std::int32_t>(round);
    const bool gathers = t >= last;
    const std::int32_t sent = gathers ? rank + 1 - (t - last) : rank - t;
    const std::int32_t received = gathers ? rank - (t - last) : rank - t - 1;
    const Slice out = chunk(sent);
    const Slice in = chunk(received);
    for (std::uint32_t segment = 0; segment < segments_; ++segment) {
      const Slice leaving = piece_of(out, segment, segments_);
      if (leaving.count > 0) {
        Step& send = slots[2 * segment];
        send.verb = Verb::Send;
        send.stream = stream_;
        send.target = rank == last ? 0 : rank + 1;
        send.from = leaving;
        if (round > 0) send.wait_for(receive_index(round - 1, segment));
      }
      const Slice arriving = piece_of(in, segment, segments_);
      if (arriving.count > 0) {
        Step& receive = slots[2 * segment + 1];
        receive.verb = Verb::Recv;
        receive.combine = gathers ? Operator::Replace : Operator::Sum;
        receive.stream = stream_;
        receive.target = rank == 0 ? last : rank - 1;
        receive.into = arriving;
        if (gathers)
          receive.wait_for(send_index(round - static_cast<std::uint32_t>(last), segment));
      }
    }
  }

 private:
  StepIndex send_index(std::uint32_t round, std::uint32_t segment) const {
    return (round * segments_ + segment) * 2;
  }
  StepIndex receive_index(std::uint32_t round, std::uint32_t segment) const {
    return send_index(round, segment) + 1;
  }
  /// Chunk `number` modulo the ranks, of nearly equal sizes like all pieces (piece_of).
  Slice chunk(std::int32_t number) const {
    if (number < 0) number += ranks_;
    if (number >= ranks_) number -= ranks_;
    const auto index = static_cast<std::uint64_t>(number);
    return data_.part(index * chunk_ + std::min(index, larger_chunks_),
                      chunk_ + (index < larger_chunks_ ? 1 : 0));
  }

  std::int32_t ranks_;
  Slice data_;
  std::uint8_t stream_;
  std::uint64_t chunk_;          // elements of the smaller chunks
  std::uint64_t larger_chunks_;  // the first so many are one element larger
  std::uint32_t segments_;       // per chunk
};

}  // namespace

std::shared_ptr<const schedule::StepSource> make_ring(const AllReduce& all_reduce) {
  return std::make_shared<Ring>(all_reduce);
}

Time ring_closed_form(std::int32_t ranks, std::uint64_t count, const IdealNetwork& network) {
  const std::uint64_t chunk = ceiling_divide(count, static_cast<std::uint64_t>(ranks));
  if (count == 0) return {};
  return (2 * (ranks - 1)) * (network.latency + transfer_time(4 * chunk, network.bytes_per_second));
}

}  // namespace lockstep::collectives
