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

  /// A round is a segment of each shard. While one is handed out the next is added up, and a third
  /// one is on its way.
  Shape shape(Rank rank) const override {
    return {segments_, 2 * (servers_asked(rank) + workers_served(rank)), 3};
  }

  // The slots of a round: contributions to the servers, those from the workers, sums to the
  // workers, sums from the servers.
  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override {
    const std::uint32_t asked = servers_asked(rank);
    const std::uint32_t served = workers_served(rank);
    const StepIndex first = round * static_cast<std::uint32_t>(slots.size());
    ask(rank, round, first, slots.first(asked), slots.last(asked));
    if (served > 0) serve(rank, round, first + asked, slots.subspan(asked, 2 * served));
  }

 private:
  /// Sends each server the contribution and receives the sum in its place.
  void ask(Rank rank, std::uint32_t round, StepIndex first_send, std::span<Step> sends,
           std::span<Step> receives) const {
    const auto asked = static_cast<std::int32_t>(sends.size());
    for (std::int32_t i = 1; i <= asked; ++i) {
      const auto slot = static_cast<std::size_t>(i - 1);
      const Rank to = around(rank + i, servers_);
      if (const Slice segment = segment_of(to, round); segment.count > 0)
        sends[slot] = send_to(to, segment, stream_);
      const Rank from = around(rank - i, servers_);
      if (const Slice segment = segment_of(from, round); segment.count > 0) {
        receives[slot] = receive_from(from, segment, Operator::Replace, stream_);
        const std::int32_t sent = i == servers_ ? i : servers_ - i;  // the Send to that server
        receives[slot].wait_for(first_send + static_cast<std::uint32_t>(sent - 1));
      }
    }
  }

  /// Adds up what the workers contribute, one after the other, and sends them the sum.
  void serve(Rank rank, std::uint32_t round, StepIndex first, std::span<Step> slots) const {
    const Slice own = segment_of(rank, round);
    if (own.count == 0) return;
    const std::uint32_t served = workers_served(rank);
    for (std::uint32_t i = 0; i < served; ++i) {
      const auto distance = static_cast<std::int32_t>(i + 1);
      Step& receive = slots[i];
      receive = receive_from(around(rank - distance, ranks_), own, Operator::Sum, stream_);
      if (i > 0) receive.wait_for(first + i - 1);
      Step& send = slots[served + i];
      send = send_to(around(rank + distance, ranks_), own, stream_);
      send.wait_for(first + served - 1);
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
  Slice segment_of(Rank server, std::uint32_t round) const {
    return piece_of(shard(server), round, segments_);
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
