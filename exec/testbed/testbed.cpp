// SPDX-License-Identifier: Apache-2.0
#include "exec/testbed/testbed.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>

#include "exec/testbed/failure.h"
#include "exec/testbed/forwarding.h"
#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

using topology::Link;
using topology::Topology;

std::string text_of(std::uint32_t address) {
  const in_addr bytes{htonl(address)};
  char text[INET_ADDRSTRLEN];
  ::inet_ntop(AF_INET, &bytes, text, sizeof text);
  return text;
}

/// Names of the devices at the two ends of a link.
std::string sending_end(LinkId link) {
  return "out" + std::to_string(link);
}
std::string receiving_end(LinkId link) {
  return "in" + std::to_string(link);
}

/// A setting of the network of the calling thread's namespace; one that this kernel has not needs
/// no setting.
void set(const std::string& key, const char* value) {
  std::ofstream("/proc/sys/net/" + key) << value;
}

/// Packets are passed on, and come in by other links than answers leave by.
void settle_kernel() {
  set("ipv4/ip_forward", "1");
  for (const std::string which : {"all", "default"}) {
    set("ipv4/conf/" + which + "/rp_filter", "0");
    set("ipv6/conf/" + which + "/disable_ipv6", "1");
  }
}

/// Both ends of a pair have the same hardware address, so that packets find their way without ARP,
/// which would have to wait in queues.
std::string line_of_pair(LinkId link, const Namespace& from, const Namespace& to) {
  char hardware[18];
  std::snprintf(hardware, sizeof hardware, "02:00:%02x:%02x:%02x:%02x", link >> 24 & 255,
                link >> 16 & 255, link >> 8 & 255, link & 255);
  return "link add " + sending_end(link) + " netns " + from.path() + " address " + hardware +
         " type veth peer name " + receiving_end(link) + " address " + hardware + " netns " +
         to.path() + "\n";
}

std::string lines_of_end(const std::string& device, std::uint32_t here, std::uint32_t there) {
  return "link set " + device + " arp off up\naddress add " + text_of(here) + "/32 dev " + device +
         "\nroute add " + text_of(there) + "/32 dev " + device + " src " + text_of(here) + "\n";
}

/// What one node is told: its devices, its addresses, its routes. Sources that are exceptions find
/// their link in a table of its own; the kernel's own tables have numbers up to 255.
std::string lines_of_node(const Topology& topology, std::int32_t node,
                          const ForwardingTable& table) {
  std::string lines = "link set lo up\n";
  if (topology.is_host(node)) lines += "address add " + text_of(address_of(node)) + "/32 dev lo\n";
  for (LinkId link = 0; link < std::ssize(topology.links); ++link) {
    const Link& ends = topology.links[static_cast<std::size_t>(link)];
    const auto [from, to] = addresses_of(link);
    if (ends.from == node) lines += lines_of_end(sending_end(link), from, to);
    if (ends.to == node) lines += lines_of_end(receiving_end(link), to, from);
  }
  for (const NextLink& next : table.usual) {
    lines += "route add " + text_of(address_of(next.to)) + "/32 dev " + sending_end(next.link);
    if (topology.is_host(node)) lines += " src " + text_of(address_of(node));
    lines += '\n';
  }
  for (const Exception& exception : table.exceptions) {
    const std::string number = std::to_string(256 + exception.link);
    lines += "route replace default dev " + sending_end(exception.link) + " table " + number +
             "\nrule add from " + text_of(address_of(exception.from)) + " to " +
             text_of(address_of(exception.to)) + " lookup " + number + "\n";
  }
  return lines;
}

std::string line_of_shaper(LinkId link, const Link& shape) {
  return "qdisc add dev " + sending_end(link) + " root tbf rate " +
         std::to_string(std::llround(8 * shape.bytes_per_second)) + "bit burst " +
         std::to_string(shape.burst_bytes) + " limit " + std::to_string(shape.queue_bytes) + "\n";
}

std::vector<double> cores_of(const Topology& topology) {
  std::vector<double> cores;
  for (const topology::Host& host : topology.hosts)
    cores.push_back(host.cores);
  return cores;
}

}  // namespace

std::uint32_t address_of(HostId host) {
  constexpr std::uint32_t kHosts = 10u << 24 | 1;  // 10.0.0.1
  return kHosts + static_cast<std::uint32_t>(host);
}

LinkEnds addresses_of(LinkId link) {
  constexpr std::uint32_t kLinks = 10u << 24 | 128u << 16;  // 10.128.0.0
  const std::uint32_t from = kLinks + 2 * static_cast<std::uint32_t>(link);
  return {from, from + 1};
}

Testbed::Testbed(const Topology& topology, bool has_quotas)
    : topology_(topology), home_(Namespace::current()) {
  for (std::int32_t node = 0; node < topology.nodes(); ++node) {
    nodes_.push_back(Namespace::make(home_));
    const Visit visit(nodes_.back(), home_);
    settle_kernel();
  }
  std::string pairs;
  std::vector<std::string> shapers(nodes_.size());
  for (LinkId id = 0; id < std::ssize(topology.links); ++id) {
    const Link& link = topology.links[static_cast<std::size_t>(id)];
    const auto from = static_cast<std::size_t>(link.from);
    pairs += line_of_pair(id, nodes_[from], nodes_[static_cast<std::size_t>(link.to)]);
    shapers[from] += line_of_shaper(id, link);
  }
  run_batch("ip", home_, pairs);
  const std::vector<ForwardingTable> tables = forwarding_tables(topology);
  for (std::size_t node = 0; node < nodes_.size(); ++node) {
    run_batch("ip", nodes_[node],
              lines_of_node(topology, static_cast<std::int32_t>(node), tables[node]));
    run_batch("tc", nodes_[node], shapers[node]);
  }
  if (has_quotas) quotas_.emplace(cores_of(topology));
}

bool Testbed::enter(HostId host) const {
  const auto index = static_cast<std::size_t>(host);
  const std::string& name = topology_.hosts[index].name;
  return nodes_[index].enter() && (!quotas_ || quotas_->enter(host)) &&
         ::unshare(CLONE_NEWUTS) == 0 && ::sethostname(name.data(), name.size()) == 0;
}

namespace {

sockaddr_in socket_address(std::uint32_t address) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_addr.s_addr = htonl(address);
  return result;
}

int socket_at(std::uint32_t address) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in here = socket_address(address);
  if (socket < 0 || ::bind(socket, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0)
    throw_cannot("use the address " + text_of(address));
  return socket;
}

}  // namespace

int Testbed::listen(std::int32_t node, std::uint32_t address) const {
  const Visit visit(nodes_[static_cast<std::size_t>(node)], home_);
  const int socket = socket_at(address);
  if (::listen(socket, SOMAXCONN) != 0) throw_cannot("listen at " + text_of(address));
  return socket;
}

int Testbed::connect(std::int32_t node, std::uint32_t address, int listener) const {
  sockaddr_in there{};
  socklen_t size = sizeof there;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&there), &size);
  const Visit visit(nodes_[static_cast<std::size_t>(node)], home_);
  const int socket = socket_at(address);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&there), size) != 0)
    throw_cannot("connect " + text_of(address) + " with " + text_of(ntohl(there.sin_addr.s_addr)));
  return socket;
}

/// A line of /proc/net/dev: "out3: received…", eight figures, then what was sent (proc(5)).
std::uint64_t Testbed::bytes_sent(LinkId link) const {
  const std::int32_t node = topology_.links[static_cast<std::size_t>(link)].from;
  const Visit visit(nodes_[static_cast<std::size_t>(node)], home_);
  std::ifstream devices("/proc/thread-self/net/dev");
  const std::string name = sending_end(link) + ":";
  for (std::string word; devices >> word;) {
    if (word != name) continue;
    std::uint64_t figure = 0;
    for (int i = 0; i <= 8; ++i)
      devices >> figure;
    return figure;
  }
  throw_cannot("read the counters of " + name);
}

}  // namespace lockstep::exec
