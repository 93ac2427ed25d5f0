// SPDX-License-Identifier: Apache-2.0
// The sending end of a TCP connection: what to send next, what is lost, when to worry.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "models/base/units.h"
#include "sim/packet/congestion.h"

namespace lockstep::sim {

using PacketNumber = std::uint64_t;  // in its connection

/// What an acknowledgement says: a packet has arrived, and all before `all_before` have.
struct Acknowledgement {
  PacketNumber number = 0;
  std::uint64_t transmission = 0;
  Time sent;
  PacketNumber all_before = 0;
};

/// Selective acknowledgements (RFC 2018); a packet is lost as soon as one that was sent later has
/// arrived, and a last one is sent again after two round trips without news (RFC 8985);
/// retransmission timeout with back-off (RFC 6298), 200 ms at least.
/// Packets of a connection take one path, so that they never overtake each other. Times are passed
/// in; it has no clock.
class LinuxSender {
 public:
  /// The connection has been opened before: its round trip is known.
  explicit LinuxSender(double round_trip);

  /// A packet more to send, of a message that begins now.
  void add(std::uint32_t bytes) { packets_.push_back({.bytes = bytes}); }
  /// Before a message is added.
  void wake(Time now);
  PacketNumber end() const { return first_ + packets_.size(); }

  /// A packet that may leave now, `waiting_bytes` of the connection being in the host's queue.
  std::optional<PacketNumber> next(std::uint64_t waiting_bytes);
  std::uint32_t bytes(PacketNumber number) const { return packet(number).bytes; }
  /// It leaves. Returns the number of this transmission.
  std::uint64_t sent(PacketNumber number, Time now);
  void acknowledged(const Acknowledgement& news, Time now);

  /// When expired() is due; Time::max() if nothing is under way.
  Time deadline() const { return deadline_; }
  void expired(Time now);

 private:
  enum class Recovery : std::uint8_t { None, Fast, AfterTimeout };
  enum class State : std::uint8_t { New, UnderWay, Arrived, Lost };
  struct Packet {
    std::uint32_t bytes = 0;
    State state = State::New;
    bool is_repeated = false;
    std::uint64_t transmission = 0;  // the last
  };

  const Packet& packet(PacketNumber number) const {
    return packets_[static_cast<std::size_t>(number - first_)];
  }
  Packet& packet(PacketNumber number) {
    return packets_[static_cast<std::size_t>(number - first_)];
  }
  void arrive(Packet& packet);
  void lose(Packet& packet);
  void find_lost();
  void measure(double round_trip);
  void set_deadline(Time now);

  Congestion congestion_;
  std::deque<Packet> packets_;   // from `first_` on, those not yet sent too
  PacketNumber first_ = 0;       // all before this one have arrived
  PacketNumber fresh_ = 0;       // all before this one have been sent
  std::uint64_t under_way_ = 0;  // packets
  std::uint64_t lost_ = 0;       // packets that are to be sent again
  PacketNumber first_lost_ = 0;  // none before it is Lost
  std::uint64_t transmissions_ = 0;
  std::uint64_t last_arrived_ = 0;  // the latest transmission that is known to have arrived
  bool has_hole_ = false;           // something may have been overtaken
  Recovery recovery_ = Recovery::None;
  PacketNumber recovered_ = 0;        // recovery is over when all before this one have arrived
  std::uint64_t most_under_way_ = 0;  // in this round trip
  PacketNumber round_ends_ = 0;       // with this one's acknowledgement
  double smooth_round_trip_ = 0;      // seconds
  double variance_ = 0;
  double timeout_ = 0;
  bool probes_ = false;  // the deadline is that of a probe
  Time deadline_ = Time::max();
  Time last_sent_;
};

}  // namespace lockstep::sim
