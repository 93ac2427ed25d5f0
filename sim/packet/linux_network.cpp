// SPDX-License-Identifier: Apache-2.0
#include "sim/packet/linux_network.h"

#include <algorithm>
#include <utility>

#include "models/base/errors.h"

namespace lockstep::sim {

namespace {

constexpr std::uint32_t kPacketBytes = 1448;      // of payload; Ethernet's MTU less the headers
constexpr std::uint64_t kQueueBytes = 128 << 10;  // of payload, for a link that says none
/// What leaves at one time stays together on links whose bucket holds it (segmentation and receive
/// offload): so much of it at most is acknowledged once.
constexpr std::uint64_t kUnitBytes = 64 << 10;

}  // namespace

LinuxNetwork::LinuxNetwork(const topology::Topology& topology, EventQueue& queue,
                           std::uint8_t first_kind)
    : topology_(topology), queue_(queue), first_kind_(first_kind), ports_(topology.links.size()) {
  for (std::size_t number = 0; number < ports_.size(); ++number) {
    const topology::Link& link = topology.links[number];
    ports_[number].most_bytes =
        link.queue_bytes > 0 ? static_cast<std::uint64_t>(static_cast<double>(link.queue_bytes) *
                                                          link.header_efficiency)
                             : kQueueBytes;
    ports_[number].tokens = static_cast<double>(link.burst_bytes);
  }
}

std::uint32_t LinuxNetwork::connect(std::vector<LinkId> links, std::vector<LinkId> links_back) {
  LOCKSTEP_CHECK(!links.empty() && !links_back.empty(), "a connection within a host");
  Time latency;
  for (const std::vector<LinkId>& way : {links, links_back})
    for (const LinkId id : way)
      latency += link(id).latency;
  std::uint64_t unit = kUnitBytes;
  for (const LinkId id : links)
    unit = std::min(unit, link(id).burst_bytes);
  connections_.push_back({.links = std::move(links),
                          .links_back = std::move(links_back),
                          .sender = LinuxSender(latency.seconds()),
                          .unit_bytes = unit});
  return static_cast<std::uint32_t>(connections_.size() - 1);
}

void LinuxNetwork::send(std::uint32_t number, std::uint64_t bytes) {
  Connection& connection = connections_[number];
  connection.sender.wake(now());
  do {
    const std::uint64_t payload = std::min<std::uint64_t>(bytes, kPacketBytes);
    connection.sender.add(static_cast<std::uint32_t>(payload));
    bytes -= payload;
  } while (bytes > 0);
  connection.arrivals.expect(connection.sender.end());
  transmit(number);
}

LinuxNetwork::Delivery LinuxNetwork::handle(const Event& event) {
  switch (static_cast<Kind>(event.kind - first_kind_)) {
    case kSent:
      sent(static_cast<LinkId>(event.payload));
      break;
    case kArrives:
      return arrives(event.payload);
    case kTimeout:
      timer(event.payload);
      break;
    case kKinds:
      break;
  }
  return {};
}

/// Sends what there is to send and may be, in units. They wait in the host's queue whole.
void LinuxNetwork::transmit(std::uint32_t number) {
  std::uint64_t unit = 0;
  std::uint32_t last = 0;
  const auto close = [&] {
    if (unit == 0) return;
    packets_[last].unit = std::exchange(unit, 0);
    enqueue(last);
  };
  while (const auto next = connections_[number].sender.next(connections_[number].waiting_bytes)) {
    Connection& connection = connections_[number];
    const std::uint64_t bytes = std::max<std::uint64_t>(1, connection.sender.bytes(*next));
    if (unit + bytes > connection.unit_bytes)
      close();
    else if (unit > 0)
      enqueue(last);
    last = make_packet(number, *next);
    unit += bytes;
    connection.waiting_bytes += bytes;
    ++packets_sent_;
  }
  close();
  set_timer(number);
}

/// It leaves.
std::uint32_t LinuxNetwork::make_packet(std::uint32_t number, PacketNumber which) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(packets_.size()));
    packets_.emplace_back();
  }
  const std::uint32_t packet = free_.back();
  free_.pop_back();
  LinuxSender& sender = connections_[number].sender;
  packets_[packet] = {
      .connection = number,
      .bytes = sender.bytes(which),
      .news = {.number = which, .transmission = sender.sent(which, now()), .sent = now()}};
  return packet;
}

LinkId LinuxNetwork::link_of(const Packet& packet) const {
  const Connection& connection = connections_[packet.connection];
  return (packet.is_back ? connection.links_back : connection.links)[packet.hop];
}

void LinuxNetwork::enqueue(std::uint32_t number) {
  const Packet& packet = packets_[number];
  const LinkId link = link_of(packet);
  Port& out = port(link);
  if (packet.hop > 0 && !out.packets.empty() && out.waiting_bytes + packet.bytes > out.most_bytes) {
    ++lost_;
    free_.push_back(number);
    return;
  }
  out.packets.push_back(number);
  if (out.packets.size() == 1)
    begin_sending(link);
  else
    out.waiting_bytes += packet.bytes;
}

/// What the link's bucket holds leaves at once, the rest at the link's rate.
void LinuxNetwork::begin_sending(LinkId id) {
  Port& out = port(id);
  const double rate = link(id).payload_bytes_per_second();
  std::uint64_t bytes = packets_[out.packets.front()].bytes;
  if (const auto depth = static_cast<double>(link(id).burst_bytes); depth > 0) {
    const Time passed = std::max(Time{}, now() - out.since);
    out.tokens = std::min(depth, out.tokens + rate * passed.seconds());
    const auto at_once = std::min(bytes, static_cast<std::uint64_t>(out.tokens));
    out.tokens -= static_cast<double>(at_once);
    bytes -= at_once;
    // What accrues while the rest is sent, is the rest.
    out.since = now() + transfer_time(bytes, rate);
  }
  push(now() + transfer_time(bytes, rate), kSent, static_cast<std::uint32_t>(id));
}

void LinuxNetwork::sent(LinkId id) {
  Port& out = port(id);
  const std::uint32_t number = out.packets.front();
  push(now() + link(id).latency, kArrives, number);
  out.packets.pop_front();
  if (!out.packets.empty()) {
    out.waiting_bytes -= packets_[out.packets.front()].bytes;
    begin_sending(id);
  }
  const Packet& packet = packets_[number];
  if (packet.is_back || packet.hop > 0 || packet.unit == 0) return;
  const std::uint32_t connection = packet.connection;
  connections_[connection].waiting_bytes -= packet.unit;
  transmit(connection);
}

LinuxNetwork::Delivery LinuxNetwork::arrives(std::uint32_t number) {
  Packet& packet = packets_[number];
  Connection& connection = connections_[packet.connection];
  const auto& way = packet.is_back ? connection.links_back : connection.links;
  if (++packet.hop < way.size()) {
    enqueue(number);
    return {};
  }
  if (packet.is_back) {
    acknowledged(number);
    return {};
  }
  const Delivery delivery{packet.connection, connection.arrivals.take(packet.news.number)};
  if (packet.unit == 0 && !connection.arrivals.has_gap()) {
    free_.push_back(number);
    return delivery;
  }
  packet.news.all_before = connection.arrivals.all_before();
  packet.is_back = true;
  packet.hop = 0;
  packet.bytes = 0;
  enqueue(number);
  return delivery;
}

void LinuxNetwork::acknowledged(std::uint32_t number) {
  const Packet packet = packets_[number];
  free_.push_back(number);
  connections_[packet.connection].sender.acknowledged(packet.news, now());
  transmit(packet.connection);
}

/// An event that comes before the deadline looks at it then.
void LinuxNetwork::set_timer(std::uint32_t number) {
  Connection& connection = connections_[number];
  const Time deadline = connection.sender.deadline();
  if (connection.timer <= deadline) return;
  connection.timer = deadline;
  push(deadline, kTimeout, number);
}

void LinuxNetwork::timer(std::uint32_t number) {
  Connection& connection = connections_[number];
  if (connection.timer != now()) return;  // an earlier one has taken its place
  connection.timer = Time::max();
  if (now() < connection.sender.deadline()) return set_timer(number);
  connection.sender.expired(now());
  transmit(number);
}

}  // namespace lockstep::sim
