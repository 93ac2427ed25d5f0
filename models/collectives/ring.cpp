// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/ring.h"

#include "models/schedule/pieces.h"

namespace lockstep::collectives {

namespace {

using schedule::ceiling_divide;
using schedule::Operator;
using schedule::piece_count;
using schedule::Slice;
using schedule::Step;
using schedule::StepIndex;
using schedule::Verb;

class Ring final : public schedule::StepSource {
 public:
  explicit Ring(const Operation& operation)
      : ranks_(operation.ranks),
        reducing_(operation.collective == Collective::AllGather ? 0 : ranks_ - 1),
        gathering_(operation.collective == Collective::ReduceScatter ? 0 : ranks_ - 1),
        data_(operation.data),
        stream_(operation.stream),
        chunk_(data_.count / static_cast<std::uint64_t>(ranks_)),
        larger_chunks_(data_.count % static_cast<std::uint64_t>(ranks_)),
        segments_(piece_count(ceiling_divide(data_.count, static_cast<std::uint64_t>(ranks_)),
                              operation.segment_elements)) {}

  Shape shape(Rank) const override {
    // Three rounds, so that the receives of the next round are posted before this one ends.
    return {static_cast<std::uint32_t>(reducing_ + gathering_), 2 * segments_, 3};
  }

  schedule::Symmetry symmetry() const override {
    return {.radices = larger_chunks_ == 0 ? std::vector{ranks_} : std::vector<std::int32_t>{}};
  }

  // Round t of the reduce-scatter sends chunk rank−1−t and receives chunk rank−2−t, which round
  // t+1 sends on. Round u of the all-gather sends chunk rank−u, which the round before completed or
  // received, and receives chunk rank−1−u in place of the partial sum that went out in round u of
  // the reduce-scatter: hence it waits for that send.
  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override {
    const auto t = static_cast<std::int32_t>(round);
    const bool gathers = t >= reducing_;
    const std::int32_t sent = gathers ? rank - (t - reducing_) : rank - 1 - t;
    const Slice out = chunk(sent);
    const Slice in = chunk(sent - 1);
    for (std::uint32_t segment = 0; segment < segments_; ++segment) {
      const Slice leaving = piece_of(out, segment, segments_);
      if (leaving.count > 0) {
        Step& send = slots[2 * segment];
        send.verb = Verb::Send;
        send.stream = stream_;
        send.target = rank == ranks_ - 1 ? 0 : rank + 1;
        send.from = leaving;
        if (round > 0) send.wait_for(receive_index(round - 1, segment));
      }
      const Slice arriving = piece_of(in, segment, segments_);
      if (arriving.count > 0) {
        Step& receive = slots[2 * segment + 1];
        receive.verb = Verb::Recv;
        receive.combine = gathers ? Operator::Replace : Operator::Sum;
        receive.stream = stream_;
        receive.target = rank == 0 ? ranks_ - 1 : rank - 1;
        receive.into = arriving;
        if (gathers && reducing_ > 0)
          receive.wait_for(send_index(round - static_cast<std::uint32_t>(reducing_), segment));
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
    const auto index = static_cast<std::uint64_t>(number);
    return data_.part(index * chunk_ + std::min(index, larger_chunks_),
                      chunk_ + (index < larger_chunks_ ? 1 : 0));
  }

  std::int32_t ranks_;
  std::int32_t reducing_;   // rounds of the reduce-scatter
  std::int32_t gathering_;  // rounds of the all-gather
  Slice data_;
  std::uint8_t stream_;
  std::uint64_t chunk_;          // elements of the smaller chunks
  std::uint64_t larger_chunks_;  // the first so many are one element larger
  std::uint32_t segments_;       // per chunk
};

}  // namespace

std::shared_ptr<const schedule::StepSource> make_ring(const Operation& operation) {
  return std::make_shared<Ring>(operation);
}

Time ring_closed_form(const Operation& operation, const IdealNetwork& network) {
  if (operation.data.count == 0) return {};
  const int phases = operation.collective == Collective::AllReduce ? 2 : 1;
  return phases * (operation.ranks - 1) *
         network.message(chunk_of(operation.data, 0, operation.ranks).count);
}

}  // namespace lockstep::collectives
