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
    for (std::uint32_t segment = 0; segment < segments_; ++segment) {
      const Slice out = piece(sent, segment);
      if (out.count > 0) {
        Step& send = slots[2 * segment];
        send = {.verb = Verb::Send, .stream = stream_, .target = (rank + 1) % ranks_, .from = out};
        if (round > 0) send.wait_for(receive_index(round - 1, segment));
      }
      const Slice in = piece(received, segment);
      if (in.count > 0) {
        Step& receive = slots[2 * segment + 1];
        receive = {.verb = Verb::Recv,
                   .combine = gathers ? Operator::Replace : Operator::Sum,
                   .stream = stream_,
                   .target = (rank + last) % ranks_,
                   .into = in};
        if (gathers) receive.wait_for(send_index(round - static_cast<std::uint32_t>(last), segment));
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
  Slice piece(std::int32_t chunk, std::uint32_t segment) const {
    const auto ranks = static_cast<std::uint64_t>(ranks_);
    const auto index = static_cast<std::uint64_t>((chunk + 2 * ranks_) % ranks_);
    return piece_of(piece_of(data_, index, ranks), segment, segments_);
  }

  std::int32_t ranks_;
  Slice data_;
  std::uint8_t stream_;
  std::uint32_t segments_;  // per chunk
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
