// SPDX-License-Identifier: Apache-2.0
// A network packet by packet: store and forward through finite queues, and TCP at the ends. For
// cases small enough that millions of packets are all there are.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "models/topology/topology.h"
#include "sim/engine/event_queue.h"
#include "sim/packet/arrivals.h"

namespace lockstep::sim {

struct TcpOptions {
  std::uint32_t packet_bytes = 1448;      // of payload; Ethernet's MTU less the headers
  std::uint64_t queue_bytes = 128 << 10;  // payload that waits at a switch for one link
  std::uint32_t initial_window = 10;      // packets (RFC 6928)
  double minimum_timeout_seconds = 0.2;   // Linux; RFC 6298 has 1 s
  std::uint64_t window_bytes = 4 << 20;   // the receiver's: most that is under way
};

/// Connections with NewReno congestion control: slow start and congestion avoidance (RFC 5681),
/// fast retransmit and recovery (RFC 6582), retransmission timeout with back-off (RFC 6298), slow
/// start again after idling longer than that. Every packet is acknowledged. Simpler than a real
/// network: acknowledgements take the latency of the way back and nothing else; a host's own queue
/// is not bounded; switches forward in no time; a packet that finds no room in its queue is lost.
/// The arguments must outlive it. Its events in the queue are of kinds 0 … kKinds − 1.
class TcpNetwork {
 public:
  enum Kind : std::uint8_t { kSent, kArrives, kAcknowledged, kTimeout, kKinds };

  TcpNetwork(const topology::Topology& topology, const TcpOptions& options, EventQueue& queue);

  /// Numbered 0, 1, …. The links in order, at least one; `latency_back` of the way back.
  std::uint32_t connect(std::vector<LinkId> links, Time latency_back);
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
  std::uint64_t timeouts() const { return timeouts_; }

 private:
  using Number = std::uint64_t;  // of a packet in its connection

  struct Packet {
    std::uint32_t connection = 0;
    std::uint32_t bytes = 0;
    std::uint32_t hop = 0;  // the link that it is on or waits for
    Number number = 0;
    Time sent;
    bool is_repeated = false;
    Number acknowledged = 0;  // on its way back: all before this one have arrived
  };
  /// What an output port has to send.
  struct Port {
    std::deque<std::uint32_t> packets;  // the first is being sent, the others wait
    std::uint64_t waiting_bytes = 0;
    bool is_bounded = false;
  };
  struct Connection {
    std::vector<LinkId> links;
    Time latency_back;
    // The sender's.
    std::deque<std::uint32_t> sizes;  // of the packets from `acknowledged` on
    Number acknowledged = 0;          // all before this one
    Number next = 0;                  // to send
    Number most = 0;                  // all before this one have been sent once
    double window = 0;                // packets
    double threshold = 1e9;
    Number recover = 0;            // fast recovery ends when this one is acknowledged
    std::uint32_t duplicates = 0;  // acknowledgements
    bool recovers = false;
    double smooth_rtt = 0;  // seconds; 0 = none yet
    double rtt_variance = 0;
    double timeout = 0;           // seconds
    Time deadline = Time::max();  // of what is under way
    Time timer = Time::max();     // when the next event looks at it
    Time last_sent;
    Arrivals arrivals;   // at the receiver
    Number written = 0;  // packets of all messages so far
  };

  Time now() const { return queue_.now(); }
  Port& port(LinkId link) { return ports_[static_cast<std::size_t>(link)]; }
  void transmit(std::uint32_t connection);
  void send_packet(std::uint32_t connection, Number number);
  void enqueue(std::uint32_t packet);
  void begin_sending(LinkId link);
  void sent(LinkId link);
  Delivery arrives(std::uint32_t packet);
  void acknowledged(std::uint32_t packet);
  void advanced(std::uint32_t connection, Number fresh);
  void repeated(std::uint32_t connection);
  static void measure(Connection& connection, double rtt_seconds, double least);
  void set_timer(std::uint32_t connection);
  void timed_out(std::uint32_t connection);

  const topology::Topology& topology_;
  const TcpOptions& options_;
  EventQueue& queue_;
  std::vector<Port> ports_;  // of each link
  std::vector<Connection> connections_;
  std::vector<Packet> packets_;
  std::vector<std::uint32_t> free_;
  std::uint64_t packets_sent_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t timeouts_ = 0;
};

}  // namespace lockstep::sim
