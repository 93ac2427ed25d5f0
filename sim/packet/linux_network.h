// SPDX-License-Identifier: Apache-2.0
// A network packet by packet, with TCP as Linux has it: what jobs are simulated on under
// Fidelity::Packet.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "models/topology/topology.h"
#include "sim/engine/event_queue.h"
#include "sim/packet/arrivals.h"
#include "sim/packet/linux_sender.h"

namespace lockstep::sim {

/// Store and forward through finite queues; a link may have a bucket for bursts, and says how much
/// waits for it. Simpler than a real network: what acknowledges takes no time on a cable, but waits
/// in its queues behind others' data; switches forward in no time; a packet that finds no room
/// where it is passed on is lost. The arguments must outlive it. Its events in the queue are of
/// kinds `first_kind` … `first_kind` + kKinds − 1.
class LinuxNetwork {
 public:
  enum Kind : std::uint8_t { kSent, kArrives, kTimeout, kKinds };

  LinuxNetwork(const topology::Topology& topology, EventQueue& queue, std::uint8_t first_kind = 0);

  /// Numbered 0, 1, …. The links in order, at least one; those of the way back, at least one.
  std::uint32_t connect(std::vector<LinkId> links, std::vector<LinkId> links_back);
  /// Sends a message of that many bytes (none: a packet without payload) after those before it.
  void send(std::uint32_t connection, std::uint64_t bytes);
  /// For each event of these kinds. Returns how many messages of which connection have arrived by
  /// it; messages of a connection arrive in their order.
  struct Delivery {
    std::uint32_t connection = 0;
    std::uint32_t messages = 0;
  };
  Delivery handle(const Event& event);

  std::uint64_t packets() const { return packets_sent_; }  // sent again ones included
  std::uint64_t lost() const { return lost_; }

 private:
  struct Packet {
    std::uint32_t connection = 0;
    std::uint32_t bytes = 0;
    std::uint32_t hop = 0;   // the link that it is on or waits for
    bool is_back = false;    // an acknowledgement
    std::uint64_t unit = 0;  // bytes of the unit that it is the last of; 0: not the last
    Acknowledgement news;    // what it will say, but for `all_before`
  };
  /// What an output port has to send.
  struct Port {
    std::deque<std::uint32_t> packets;  // the first is being sent, the others wait
    std::uint64_t waiting_bytes = 0;
    std::uint64_t most_bytes = 0;  // that may wait, when others' packets come
    double tokens = 0;             // bytes that may leave at once, at `since`
    Time since;
  };
  struct Connection {
    std::vector<LinkId> links;
    std::vector<LinkId> links_back;
    LinuxSender sender;
    std::uint64_t unit_bytes = 0;     // the most that stays together
    std::uint64_t waiting_bytes = 0;  // in the sending host's queue
    Time timer = Time::max();         // when the next event looks at the deadline
    Arrivals arrivals{};              // at the receiver
  };

  Time now() const { return queue_.now(); }
  const topology::Link& link(LinkId id) const {
    return topology_.links[static_cast<std::size_t>(id)];
  }
  Port& port(LinkId link) { return ports_[static_cast<std::size_t>(link)]; }
  LinkId link_of(const Packet& packet) const;
  void push(Time time, Kind kind, std::uint32_t payload) {
    queue_.push(time, static_cast<std::uint8_t>(first_kind_ + kind), payload);
  }
  void transmit(std::uint32_t connection);
  std::uint32_t make_packet(std::uint32_t connection, PacketNumber number);
  void enqueue(std::uint32_t packet);
  void begin_sending(LinkId link);
  void sent(LinkId link);
  Delivery arrives(std::uint32_t packet);
  void acknowledged(std::uint32_t packet);
  void set_timer(std::uint32_t connection);
  void timer(std::uint32_t connection);

  const topology::Topology& topology_;
  EventQueue& queue_;
  const std::uint8_t first_kind_;
  std::vector<Port> ports_;  // of each link
  std::vector<Connection> connections_;
  std::vector<Packet> packets_;
  std::vector<std::uint32_t> free_;
  std::uint64_t packets_sent_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace lockstep::sim
