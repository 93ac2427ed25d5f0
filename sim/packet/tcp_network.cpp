// SPDX-License-Identifier: Apache-2.0
#include "sim/packet/tcp_network.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/base/errors.h"

namespace lockstep::sim {

TcpNetwork::TcpNetwork(const topology::Topology& topology, const TcpOptions& options,
                       EventQueue& queue)
    : topology_(topology), options_(options), queue_(queue), ports_(topology.links.size()) {
  for (std::size_t link = 0; link < ports_.size(); ++link)
    ports_[link].is_bounded = !topology.is_host(topology.links[link].from);
}

/// It has been opened before: its round trip is known.
std::uint32_t TcpNetwork::connect(std::vector<LinkId> links, Time latency_back) {
  LOCKSTEP_CHECK(!links.empty(), "a connection within a host");
  Connection& made = connections_.emplace_back();
  Time latency = latency_back;
  for (const LinkId link : links)
    latency += topology_.links[static_cast<std::size_t>(link)].latency;
  made.links = std::move(links);
  made.latency_back = latency_back;
  made.window = options_.initial_window;
  measure(made, latency.seconds(), options_.minimum_timeout_seconds);
  return static_cast<std::uint32_t>(connections_.size() - 1);
}

void TcpNetwork::send(std::uint32_t number, std::uint64_t bytes) {
  Connection& connection = connections_[number];
  const bool is_idle = connection.acknowledged == connection.written;
  if (is_idle && (now() - connection.last_sent).seconds() > connection.timeout)
    connection.window = std::min<double>(connection.window, options_.initial_window);
  do {
    const std::uint64_t payload = std::min<std::uint64_t>(bytes, options_.packet_bytes);
    connection.sizes.push_back(static_cast<std::uint32_t>(payload));
    bytes -= payload;
    ++connection.written;
  } while (bytes > 0);
  connection.arrivals.expect(connection.written);
  transmit(number);
}

TcpNetwork::Delivery TcpNetwork::handle(const Event& event) {
  switch (static_cast<Kind>(event.kind)) {
    case kSent:
      sent(static_cast<LinkId>(event.payload));
      break;
    case kArrives:
      return arrives(event.payload);
    case kAcknowledged:
      acknowledged(event.payload);
      break;
    case kTimeout:
      timed_out(event.payload);
      break;
    case kKinds:
      break;
  }
  return {};
}

/// Sends what the congestion window and the receiver's let it.
void TcpNetwork::transmit(std::uint32_t number) {
  Connection& connection = connections_[number];
  const auto most = static_cast<double>(
      std::max<std::uint64_t>(1, options_.window_bytes / options_.packet_bytes));
  const auto window = static_cast<Number>(std::min(connection.window, most));
  while (connection.next < connection.written && connection.next - connection.acknowledged < window)
    send_packet(number, connection.next++);
}

void TcpNetwork::send_packet(std::uint32_t number, Number which) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(packets_.size()));
    packets_.emplace_back();
  }
  const std::uint32_t packet = free_.back();
  free_.pop_back();
  Connection& connection = connections_[number];
  packets_[packet] = {.connection = number,
                      .bytes = connection.sizes[which - connection.acknowledged],
                      .number = which,
                      .sent = now(),
                      .is_repeated = which < connection.most};
  connection.most = std::max(connection.most, which + 1);
  connection.last_sent = now();
  ++packets_sent_;
  enqueue(packet);
  if (connection.deadline == Time::max()) set_timer(number);
}

void TcpNetwork::enqueue(std::uint32_t number) {
  const Packet& packet = packets_[number];
  const LinkId link = connections_[packet.connection].links[packet.hop];
  Port& out = port(link);
  if (out.is_bounded && !out.packets.empty() &&
      out.waiting_bytes + packet.bytes > options_.queue_bytes) {
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

void TcpNetwork::begin_sending(LinkId link) {
  const Packet& packet = packets_[port(link).packets.front()];
  const double rate = topology_.links[static_cast<std::size_t>(link)].payload_bytes_per_second();
  queue_.push(now() + transfer_time(packet.bytes, rate), kSent, static_cast<std::uint32_t>(link));
}

void TcpNetwork::sent(LinkId link) {
  Port& out = port(link);
  queue_.push(now() + topology_.links[static_cast<std::size_t>(link)].latency, kArrives,
              out.packets.front());
  out.packets.pop_front();
  if (out.packets.empty()) return;
  out.waiting_bytes -= packets_[out.packets.front()].bytes;
  begin_sending(link);
}

TcpNetwork::Delivery TcpNetwork::arrives(std::uint32_t number) {
  Packet& packet = packets_[number];
  Connection& connection = connections_[packet.connection];
  if (++packet.hop < connection.links.size()) {
    enqueue(number);
    return {};
  }
  const Delivery delivery{packet.connection, connection.arrivals.take(packet.number)};
  packet.acknowledged = connection.arrivals.all_before();
  queue_.push(now() + connection.latency_back, kAcknowledged, number);
  return delivery;
}

/// Of packets that were sent twice nobody knows which one is acknowledged: they say nothing about
/// the round trip (Karn).
void TcpNetwork::acknowledged(std::uint32_t number) {
  const Packet packet = packets_[number];
  free_.push_back(number);
  Connection& connection = connections_[packet.connection];
  if (!packet.is_repeated)
    measure(connection, (now() - packet.sent).seconds(), options_.minimum_timeout_seconds);
  if (packet.acknowledged > connection.acknowledged)
    advanced(packet.connection, packet.acknowledged - connection.acknowledged);
  else if (packet.acknowledged == connection.acknowledged &&
           connection.next > connection.acknowledged)
    repeated(packet.connection);
  transmit(packet.connection);
}

/// `fresh` packets more are acknowledged.
void TcpNetwork::advanced(std::uint32_t number, Number fresh) {
  Connection& connection = connections_[number];
  connection.acknowledged += fresh;
  connection.sizes.erase(connection.sizes.begin(),
                         connection.sizes.begin() + static_cast<std::ptrdiff_t>(fresh));
  connection.next = std::max(connection.next, connection.acknowledged);
  if (connection.recovers && connection.acknowledged < connection.recover) {
    // A partial acknowledgement: the next one is lost too (RFC 6582, 3.2).
    connection.window = std::max(1.0, connection.window - static_cast<double>(fresh) + 1);
    send_packet(number, connection.acknowledged);
  } else if (connection.recovers) {
    connection.recovers = false;
    connection.window = connection.threshold;
  } else if (connection.window < connection.threshold) {
    connection.window += static_cast<double>(std::min<Number>(fresh, 2));
  } else {
    connection.window += 1 / connection.window;
  }
  connection.duplicates = 0;
  if (connection.next > connection.acknowledged)
    set_timer(number);
  else
    connection.deadline = Time::max();
}

/// An acknowledgement that says nothing new: a later packet has arrived before the next one.
void TcpNetwork::repeated(std::uint32_t number) {
  Connection& connection = connections_[number];
  ++connection.duplicates;
  if (connection.recovers) {
    connection.window += 1;
  } else if (connection.duplicates == 3 && connection.acknowledged >= connection.recover) {
    const auto under_way = static_cast<double>(connection.next - connection.acknowledged);
    connection.threshold = std::max(under_way / 2, 2.0);
    connection.window = connection.threshold + 3;
    connection.recover = connection.next;
    connection.recovers = true;
    send_packet(number, connection.acknowledged);
  }
}

void TcpNetwork::measure(Connection& connection, double rtt, double least) {
  if (connection.timeout == 0) {
    connection.smooth_rtt = rtt;
    connection.rtt_variance = rtt / 2;
  } else {
    const double error = std::abs(connection.smooth_rtt - rtt);
    connection.rtt_variance += (error - connection.rtt_variance) / 4;
    connection.smooth_rtt += (rtt - connection.smooth_rtt) / 8;
  }
  connection.timeout = std::max(least, connection.smooth_rtt + 4 * connection.rtt_variance);
}

/// An event that comes before the deadline looks at it then.
void TcpNetwork::set_timer(std::uint32_t number) {
  Connection& connection = connections_[number];
  connection.deadline = now() + Time::from_seconds(connection.timeout);
  if (connection.timer <= connection.deadline) return;
  connection.timer = connection.deadline;
  queue_.push(connection.deadline, kTimeout, number);
}

void TcpNetwork::timed_out(std::uint32_t number) {
  Connection& connection = connections_[number];
  if (connection.timer != now()) return;  // an earlier one has taken its place
  connection.timer = Time::max();
  if (connection.deadline == Time::max()) return;
  if (now() < connection.deadline) {
    connection.timer = connection.deadline;
    queue_.push(connection.deadline, kTimeout, number);
    return;
  }
  constexpr double kLongest = 60;
  ++timeouts_;
  const auto under_way = static_cast<double>(connection.next - connection.acknowledged);
  connection.threshold = std::max(under_way / 2, 2.0);
  connection.window = 1;
  connection.recovers = false;
  connection.duplicates = 0;
  connection.recover = connection.most;
  connection.next = connection.acknowledged;
  connection.timeout = std::min(2 * connection.timeout, kLongest);
  set_timer(number);
  transmit(number);
}

}  // namespace lockstep::sim
