// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/parameter_server.h"

#include <algorithm>

#include "models/base/errors.h"
#include "models/collectives/messages.h"
#include "models/schedule/pieces.h"

namespace lockstep::collectives {

namespace {

using schedule::Operator;
using schedule::piece_count;
using schedule::piece_of;
using schedule::Slice;
using schedule::Step;
using schedule::StepIndex;

std::int32_t servers_of(const Operation& operation) {
  return operation.servers == 0 ? operation.ranks : operation.servers;
}

class ParameterServer final : public schedule::StepSource {
 public:
  explicit ParameterServer(const Operation& operation)
      : ranks_(operation.ranks),
        peers_(static_cast<std::uint32_t>(ranks_ - 1)),
        servers_(servers_of(operation)),
        data_(operation.data),
        stream_(operation.stream),
        segments_(piece_count(shard(0).count, operation.segment_elements)) {
    LOCKSTEP_CHECK(1 <= servers_ && servers_ <= ranks_,
                   std::to_string(servers_) + " servers among " + std::to_string(ranks_));
  }

  /// Contributions to segment k of each shard and the sums of segment k−1 go out side by side, one
  /// peer in a round: those to a rank would queue behind the sums to it if they came after them.
  /// Three segments are on their way, to and from no more than 16 ranks.
  Shape shape(Rank) const override {
    return {(segments_ + 1) * peers_, 4, std::min(std::max(1u, 3 * peers_), 16u)};
  }

  schedule::Symmetry symmetry() const override {
    if (servers_ < ranks_ || data_.count % static_cast<std::uint64_t>(ranks_) != 0) return {};
    return {.radices = {ranks_}};
  }

  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override {
    const std::uint32_t segment = round / peers_;
    const std::uint32_t distance = round % peers_ + 1;
    const Rank ahead = (rank + static_cast<std::int32_t>(distance)) % ranks_;
    const Rank behind = (rank - static_cast<std::int32_t>(distance) + ranks_) % ranks_;
    if (const Slice slice = slice_of(ahead, segment); slice.count > 0)
      slots[kContribute] = send_to(ahead, slice, stream_);
    if (const Slice slice = slice_of(rank, segment); slice.count > 0) {
      slots[kAdd] = receive_from(behind, slice, Operator::Sum, stream_);
      if (distance > 1) slots[kAdd].wait_for(index(segment, distance - 1, kAdd));
    }
    if (segment == 0) return;
    if (const Slice slice = slice_of(rank, segment - 1); slice.count > 0) {
      slots[kHandOut] = send_to(ahead, slice, stream_);
      slots[kHandOut].wait_for(index(segment - 1, peers_, kAdd));
    }
    if (const Slice slice = slice_of(behind, segment - 1); slice.count > 0) {
      slots[kTake] = receive_from(behind, slice, Operator::Replace, stream_);
      // It takes the place of the contribution, which went as far ahead as it takes to get behind.
      slots[kTake].wait_for(index(segment - 1, peers_ + 1 - distance, kContribute));
    }
  }

 private:
  static constexpr StepIndex kContribute = 0, kAdd = 1, kHandOut = 2, kTake = 3;

  StepIndex index(std::uint32_t segment, std::uint32_t distance, StepIndex slot) const {
    return 4 * (segment * peers_ + distance - 1) + slot;
  }
  Slice shard(Rank server) const { return chunk_of(data_, server, servers_); }
  /// A segment of the shard that the rank serves; empty if there is none.
  Slice slice_of(Rank rank, std::uint32_t segment) const {
    const bool exists = rank < servers_ && segment < segments_;
    return exists ? piece_of(shard(rank), segment, segments_) : Slice{};
  }

  std::int32_t ranks_;
  std::uint32_t peers_;  // of each rank
  std::int32_t servers_;
  Slice data_;
  std::uint8_t stream_;
  std::uint32_t segments_;  // of each shard
};

}  // namespace

std::shared_ptr<const schedule::StepSource> make_parameter_server(const Operation& operation) {
  return std::make_shared<ParameterServer>(operation);
}

Time parameter_server_closed_form(const Operation& operation, const IdealNetwork& network) {
  if (operation.data.count == 0 || operation.ranks == 1) return {};
  return 2 * network.message(chunk_of(operation.data, 0, servers_of(operation)).count);
}

}  // namespace lockstep::collectives
