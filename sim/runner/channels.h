// SPDX-License-Identifier: Apache-2.0
// Who has sent what to whom: messages of one (sender, receiver, stream) match first to first.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/base/ids.h"
#include "models/base/units.h"
#include "models/schedule/progress.h"
#include "models/schedule/schedule.h"
#include "sim/runner/folding.h"

namespace lockstep::sim {

/// A message from the moment that its Send or its Recv starts until both are complete.
struct Message {
  schedule::StartedStep send;     // none before it starts
  schedule::StartedStep receive;  // likewise
  Time sent;                      // when the Send started
  Time posted;                    // when the Recv started
  Time began;                     // when the bytes began to flow
  std::uint64_t bytes = 0;
  double later_bytes = 0;  // of a burst: what shares the links afterwards
  std::uint32_t channel = 0;
  std::uint32_t next = 0;          // in the channel, while half of it is missing
  std::uint32_t next_in_list = 0;  // of the channel, while it waits for its turn or is under way
  std::uint32_t next_arrived = 0;  // at the rank, until it is taken in
  /// What its Recv does with it; until that is known it is priced as one that is only stored.
  schedule::Operator combine = schedule::Operator::Replace;
  Time sending_ends;           // polled: when the sender has done its part
  double since = 0;            // polled: see Footprints::touch(), of what is sent
  bool posted_first = false;   // its Recv, before it began to flow
  bool overhead_paid = false;  // the sender's
  bool flowing = false;
  bool arrived = false;
  bool send_complete = false;
  bool receive_complete = false;

  bool is_matched() const { return send && receive; }
};

struct Channel {
  static constexpr std::uint32_t kNone = UINT32_MAX;
  /// Messages one after the other, each in one list at most.
  struct List {
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
  };

  Rank sender = 0;
  Rank receiver = 0;
  std::uint8_t stream = 0;
  std::uint32_t first = kNone;  // messages of which one half is missing, the same for all
  std::uint32_t last = kNone;
  List to_leave{};                   // messages that are paid for and do not flow yet
  bool busy = false;                 // one of its messages flows
  List under_way{};                  // messages that are sent packet by packet
  std::uint32_t connection = kNone;  // that these take, once there is one
  std::uint64_t sends = 0;
  std::uint64_t receives = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t measured_bytes = 0;  // sent in iterations that count
};

/// Channels come into being when first used; messages are recycled. When ranks are folded, a
/// channel stands for those that are alike; its sender is simulated, its receiver may not be.
class Channels {
 public:
  /// The folding must outlive it.
  explicit Channels(const Folding& folding);

  /// The channel's number: 0, 1, … in the order of first use.
  std::uint32_t from_sender(Rank sender, Rank receiver, std::uint8_t stream);
  std::uint32_t from_receiver(Rank sender, Rank receiver, std::uint8_t stream);
  /// Adds a Send (Recv) that starts now, to the oldest message that lacks one or to a new one.
  std::uint32_t add_send(std::uint32_t channel, const schedule::StartedStep& step, Time now);
  std::uint32_t add_receive(std::uint32_t channel, const schedule::StartedStep& step, Time now);
  void append(Channel::List& list, std::uint32_t message);
  /// Of a list that is not empty.
  std::uint32_t take_first(Channel::List& list);
  void release(std::uint32_t message) { free_.push_back(message); }

  Message& message(std::uint32_t number) { return messages_[number]; }
  Channel& channel(std::uint32_t number) { return channels_[number]; }
  std::size_t size() const { return channels_.size(); }

  /// After the run: every message has both halves and its bytes arrived.
  void check_complete() const;
  /// The steps that wait for their other half, a few of them, one a line.
  std::string waiting(const schedule::Schedule& schedule) const;

 private:
  /// A rank's channel by peer and stream, in the order of `key`; most ranks have very few.
  struct Entry {
    std::uint64_t key;
    std::uint32_t channel;
  };
  using Directory = std::vector<Entry>;

  std::uint32_t find(Directory& own, Rank peer, Rank sender, Rank receiver, std::uint8_t stream);
  std::uint32_t oldest_without(std::uint32_t channel, bool send);

  const Folding& folding_;
  std::vector<Directory> sends_to_;       // of each simulated rank
  std::vector<Directory> receives_from_;  // of each rank; not used when folded
  std::vector<Channel> channels_;
  std::vector<Message> messages_;
  std::vector<std::uint32_t> free_;
};

}  // namespace lockstep::sim
