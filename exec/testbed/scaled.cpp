// SPDX-License-Identifier: Apache-2.0
#include "exec/testbed/scaled.h"

#include <limits.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>
#include <thread>

#include "exec/testbed/quota.h"
#include "models/base/errors.h"
#include "models/topology/routes.h"

namespace lockstep::exec {

namespace {

using topology::Host;
using topology::Link;
using topology::Topology;

/// The kernel's shaper counts Ethernet headers but neither preamble, checksum nor gap: of 1514
/// bytes TCP with time stamps carries 1448.
constexpr double kHeaderEfficiency = 1448.0 / 1514;

/// The bucket must hold what arrives between two turns of the kernel's timer under load, and the
/// largest packet that TCP hands down (64 KiB, cut later, and the headers of its pieces).
constexpr double kBurstSeconds = 2e-3;
constexpr std::uint64_t kSmallestBurst = 72'000;

std::uint64_t burst_for(double bytes_per_second) {
  return std::max(kSmallestBurst,
                  static_cast<std::uint64_t>(std::lround(bytes_per_second * kBurstSeconds)));
}

/// 50 ms of the link, besides the bucket, so that it rarely has to drop a packet.
std::uint64_t queue_for(const Link& link) {
  constexpr double kSeconds = 0.05;
  constexpr double kLargest = 1e9;  // bytes; the kernel counts in 32 bits
  return link.burst_bytes + static_cast<std::uint64_t>(
                                std::min(kLargest, std::ceil(link.bytes_per_second * kSeconds)));
}

void scale_hosts(const Scaling& scaling, const std::string& where, Scaled& scaled) {
  scaled.topology.processors = scaling.processors;
  double sum = 0;  // of what they would like
  std::set<std::string> kinds;
  bool has_sockets = false;
  for (Host& host : scaled.topology.hosts) {
    host.cores = (host.cores > 0 ? host.cores : scaling.processors) * host.speed;
    sum += host.cores;
    kinds.insert(host.machine);
    has_sockets = has_sockets || host.sockets > 1;
    host = {.name = host.name, .cores = host.cores};
  }
  if (kinds.size() > 1)
    scaled.cautions.push_back("kinds of machines are not emulated, only their cores and speed");
  if (has_sockets) scaled.cautions.push_back("sockets are not emulated");
  if (!scaling.has_quotas) {
    for (Host& host : scaled.topology.hosts)
      host.cores = scaling.processors;
    scaled.cautions.push_back("hosts have no quota: they share this machine's processors");
    return;
  }
  scaled.processor_factor = std::min(1.0, scaling.share * scaling.processors / sum);
  for (Host& host : scaled.topology.hosts) {
    host.cores *= scaled.processor_factor;
    if (host.cores < kSmallestQuota) {
      char text[160];
      std::snprintf(text, sizeof text,
                    "%zu hosts are too many for this machine's %g processors: \"%s\" would get "
                    "%.2g of one, expected at least %g",
                    scaled.topology.hosts.size(), scaling.processors, host.name.c_str(), host.cores,
                    kSmallestQuota);
      throw ConfigError(where, text);
    }
    host.quota_period =
        Time::from_seconds(1e-6 * static_cast<double>(quota_of(host.cores).period_microseconds));
  }
}

void scale_links(const Scaling& scaling, Scaled& scaled) {
  bool has_latency = false;
  bool raised = false;
  for (Link& link : scaled.topology.links) {
    link.bytes_per_second *= scaling.bandwidth_factor;
    link.header_efficiency = kHeaderEfficiency;
    has_latency = has_latency || link.latency > Time{};
    link.latency = {};
    const std::uint64_t needed = burst_for(link.bytes_per_second);
    raised = raised || (link.burst_bytes > 0 && link.burst_bytes < needed);
    link.burst_bytes = std::max(link.burst_bytes, needed);
    if (link.queue_bytes == 0) link.queue_bytes = queue_for(link);
    link.queue_bytes = std::max(link.queue_bytes, link.burst_bytes);
  }
  if (has_latency)
    scaled.cautions.push_back(
        "latency is not emulated: links have none but what the kernel takes, and are predicted so");
  if (raised)
    scaled.cautions.push_back(
        "the burst of some links is larger than in the topology: a shaper "
        "with less does not keep its rate");
}

/// Routes that are not the first ones become given ones.
void fix_routes(const Topology& original, const std::string& where, Topology& topology) {
  if (original.routing == topology::Routing::First) return;
  topology.routing = topology::Routing::First;
  topology::Routes drawn(original);
  topology::Routes first(topology);
  const auto hosts = static_cast<HostId>(topology.hosts.size());
  std::vector<topology::GivenRoute> given;
  for (HostId from = 0; from < hosts; ++from)
    for (HostId to = 0; to < hosts; ++to) {
      const topology::Flow flow{.from = from, .to = to, .sender = from, .receiver = to};
      const std::span<const topology::Hop> hops = drawn.between(flow).hops;
      if (std::any_of(hops.begin(), hops.end(), [](const auto& hop) { return hop.share < 1; }))
        throw ConfigError(where,
                          "routing \"split\" cannot be built: the kernel sends all of a "
                          "connection one way; expected \"first\" or \"hash\"");
      const std::span<const topology::Hop> usual = first.between(flow).hops;
      if (std::equal(hops.begin(), hops.end(), usual.begin(), usual.end())) continue;
      topology::GivenRoute& route = given.emplace_back(topology::GivenRoute{from, to, {}});
      for (const topology::Hop& hop : hops)
        route.links.push_back(hop.link);
    }
  topology.routes.insert(topology.routes.end(), given.begin(), given.end());
}

}  // namespace

Scaled scale(const Topology& topology, const Scaling& scaling, const std::string& where) {
  for (const Host& host : topology.hosts)
    if (host.name.size() > HOST_NAME_MAX)
      throw ConfigError(where, "\"" + host.name + "\" is too long for a host's name, expected " +
                                   std::to_string(HOST_NAME_MAX) + " bytes at most");
  Scaled scaled{topology, 1, {}};
  scaled.topology.rule.reset();
  scale_hosts(scaling, where, scaled);
  scale_links(scaling, scaled);
  fix_routes(topology, where, scaled.topology);
  return scaled;
}

Scaled two_hosts(const std::string& bandwidth, double cores) {
  Scaling scaling;
  scaling.processors = std::max(1u, std::thread::hardware_concurrency());
  topology::Topology topology = topology::parse_topology(
      R"({"name": "two hosts", "generate": {"star": {"hosts": 2, "bandwidth": ")" + bandwidth +
          R"(", "latency": "0 us"}}})",
      "two hosts");
  for (Host& host : topology.hosts)
    host.cores = cores;
  return scale(topology, scaling, "two hosts");
}

}  // namespace lockstep::exec
