// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/parameter_server.h"

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
        servers_(servers_of(operation)),
        data_(operation.data),
        stream_(operation.stream),
        segments_(piece_count(shard(0).count, operation.segment_elements)) {
    LOCKSTEP_CHECK(1 <= servers_ && servers_ <= ranks_,
                   std::to_string(servers_) + " servers among " + std::to_string(ranks_));
  }

  /// In round k contributions to segment k of each shard are on their way, and the sums of segment
  /// k−1: those to a rank would queue behind the sums to it if they came after them.
  Shape shape(Rank rank) const override {
    return {segments_ + 1, 2 * (servers_asked(rank) + workers_served(rank)), 3};
  }

  // The slots of a round: contributions to the servers, those from the workers, sums to the
  // workers, sums from the servers.
  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override {
    const std::uint32_t asked = servers_asked(rank);
    const std::uint32_t served = workers_served(rank);
    const auto width = static_cast<std::uint32_t>(slots.size());
    if (round < segments_) {
      contribute(rank, round, slots.first(asked));
      add_up(rank, round, round * width + asked, slots.subspan(asked, served));
    }
    if (round > 0) {
      const StepIndex before = (round - 1) * width;
      hand_out(rank, round - 1, before + asked + served - 1, slots.subspan(asked + served, served));
      take(rank, round - 1, before, slots.last(asked));
    }
  }

 private:
  void contribute(Rank rank, std::uint32_t segment, std::span<Step> sends) const {
    for (std::size_t i = 0; i < sends.size(); ++i) {
      const Rank to = around(rank + static_cast<std::int32_t>(i) + 1, servers_);
      if (const Slice slice = slice_of(to, segment); slice.count > 0)
        sends[i] = send_to(to, slice, stream_);
    }
  }

  /// One contribution after the other; the first is step `first`.
  void add_up(Rank rank, std::uint32_t segment, StepIndex first, std::span<Step> receives) const {
    const Slice slice = slice_of(rank, segment);
    for (std::size_t i = 0; i < receives.size() && slice.count > 0; ++i) {
      const Rank from = around(rank - static_cast<std::int32_t>(i) - 1, ranks_);
      receives[i] = receive_from(from, slice, Operator::Sum, stream_);
      if (i > 0) receives[i].wait_for(first + static_cast<StepIndex>(i) - 1);
    }
  }

  void hand_out(Rank rank, std::uint32_t segment, StepIndex last_added,
                std::span<Step> sends) const {
    const Slice slice = slice_of(rank, segment);
    for (std::size_t i = 0; i < sends.size() && slice.count > 0; ++i) {
      sends[i] = send_to(around(rank + static_cast<std::int32_t>(i) + 1, ranks_), slice, stream_);
      sends[i].wait_for(last_added);
    }
  }

  /// The sum takes the place of the contribution that was sent there, by one of the Sends from
  /// step `first` on.
  void take(Rank rank, std::uint32_t segment, StepIndex first, std::span<Step> receives) const {
    for (std::size_t i = 0; i < receives.size(); ++i) {
      const std::int32_t back = static_cast<std::int32_t>(i) + 1;
      const Rank from = around(rank - back, servers_);
      const Slice slice = slice_of(from, segment);
      if (slice.count == 0) continue;
      receives[i] = receive_from(from, slice, Operator::Replace, stream_);
      const std::int32_t forth = back == servers_ ? back : servers_ - back;
      receives[i].wait_for(first + static_cast<StepIndex>(forth) - 1);
    }
  }

  std::uint32_t servers_asked(Rank rank) const {
    return static_cast<std::uint32_t>(rank < servers_ ? servers_ - 1 : servers_);
  }
  std::uint32_t workers_served(Rank rank) const {
    return rank < servers_ ? static_cast<std::uint32_t>(ranks_ - 1) : 0;
  }
  static Rank around(std::int32_t number, std::int32_t size) {
    return (number % size + size) % size;
  }
  Slice shard(Rank server) const { return chunk_of(data_, server, servers_); }
  /// A segment of the server's shard; empty if the rank is none.
  Slice slice_of(Rank server, std::uint32_t segment) const {
    return server < servers_ ? piece_of(shard(server), segment, segments_) : Slice{};
  }

  std::int32_t ranks_;
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
