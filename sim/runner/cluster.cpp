// SPDX-License-Identifier: Apache-2.0
#include "sim/runner/cluster.h"

#include <algorithm>
#include <cmath>

#include "models/base/errors.h"
#include "models/base/processor_share.h"

namespace lockstep::sim {
namespace {

/// The weight of every flow, in bytes per second. A thread that computes has weight 1 and takes one
/// core; a flow takes its cost per byte × its rate. With 1 ns a byte, the order of what TCP costs,
/// a flow on a full core gets the share of a thread, as the operating system's scheduler has it.
constexpr double kFlowWeight = 1e9;

double or_unlimited(double capacity) {
  return capacity > 0 ? capacity : kUnlimited;
}

}  // namespace

Time delay(double seconds) {
  return seconds < EventQueue::kNever.seconds() ? Time::from_seconds(seconds) : EventQueue::kNever;
}

Time Terms::transfer(std::uint64_t bytes) const {
  const bool ends = static_cast<double>(bytes) < bytes_per_second * EventQueue::kNever.seconds();
  return ends ? transfer_time(bytes, bytes_per_second) : EventQueue::kNever;
}

Cluster::Cluster(const cost::CostModel& cost, const topology::Topology& topology,
                 std::span<const HostId> host_of_rank, Fluid& fluid)
    : cost_(cost),
      topology_(topology),
      host_of_rank_(host_of_rank),
      fluid_(fluid),
      routes_(topology),
      bursts_(topology),
      hosts_(topology.hosts.size()),
      link_resources_(topology.links.size(), kNone) {
  for (std::size_t rank = 0; rank < host_of_rank.size(); ++rank) {
    lanes_.push_back(fluid.add_resource(1));  // one thread
    const auto number = static_cast<std::size_t>(host_of_rank[rank]);
    LOCKSTEP_CHECK(number < hosts_.size(), "rank " + std::to_string(rank) + " is placed on host " +
                                               std::to_string(host_of_rank[rank]));
    Host& host = hosts_[number];
    if (host.cores != kNone) continue;
    const cost::Machine& machine = cost.machine(static_cast<Rank>(rank));
    const double cores = topology.hosts[number].cores;
    host.cores = fluid.add_resource(or_unlimited(cores > 0 ? cores : machine.cores));
    host.memory = fluid.add_resource(or_unlimited(machine.memory_bytes_per_second));
    host.loopback = fluid.add_resource(or_unlimited(machine.loopback_bytes_per_second));
  }
  assign_processors();
}

void Cluster::assign_processors() {
  std::vector<std::size_t> ranks_of_host(hosts_.size());
  for (const HostId host : host_of_rank_)
    ++ranks_of_host[static_cast<std::size_t>(host)];
  std::vector<std::uint32_t> first_of_host(hosts_.size(), kNone);
  std::vector<std::size_t> seen(hosts_.size());
  for (std::size_t rank = 0; rank < host_of_rank_.size(); ++rank) {
    const auto host = static_cast<std::size_t>(host_of_rank_[rank]);
    const double own = topology_.hosts[host].cores;
    const double cores = own > 0 ? own : cost_.machine(static_cast<Rank>(rank)).cores;
    const auto processors = static_cast<std::size_t>(std::max(1.0, cores));
    if (first_of_host[host] == kNone) {
      first_of_host[host] = processor_count_;
      processor_count_ += static_cast<std::uint32_t>(processors);
      ranks_on_.resize(processor_count_);
    }
    const ProcessorShare share = processor_share(seen[host]++, ranks_of_host[host], processors);
    processors_.push_back(first_of_host[host] + static_cast<std::uint32_t>(share.first));
    ++ranks_on_[processors_.back()];
  }
}

cost::Nearness Cluster::nearness(Rank a, Rank b) const {
  if (processor(a) == processor(b)) return cost::Nearness::Together;
  return ranks_on(processor(a)) > 1 || ranks_on(processor(b)) > 1 ? cost::Nearness::Crowded
                                                                  : cost::Nearness::Apart;
}

Cluster::Host& Cluster::host_of(Rank rank) {
  return hosts_[static_cast<std::size_t>(host_of_rank_[static_cast<std::size_t>(rank)])];
}

std::uint32_t Cluster::connect(Rank sender, Rank receiver) {
  const std::vector<LinkId>& path =
      routes_.between(host_of_rank_[static_cast<std::size_t>(sender)],
                      host_of_rank_[static_cast<std::size_t>(receiver)]);
  connections_.push_back({sender, receiver, static_cast<std::uint32_t>(links_.size()),
                          static_cast<std::uint32_t>(path.size()),
                          &host_of(sender) == &host_of(receiver) && cost_.polls(receiver)});
  links_.insert(links_.end(), path.begin(), path.end());
  return static_cast<std::uint32_t>(connections_.size() - 1);
}

std::span<const LinkId> Cluster::route(std::uint32_t connection) const {
  return {links_.data() + connections_[connection].first_link, connections_[connection].links};
}

const Terms& Cluster::terms(std::uint32_t connection, schedule::Operator combine) {
  std::uint32_t& index = connections_[connection].terms[static_cast<std::size_t>(combine)];
  if (index == kNone) {
    terms_.push_back(make_terms(connections_[connection], combine));
    index = static_cast<std::uint32_t>(terms_.size() - 1);
  }
  return terms_[index];
}

Terms Cluster::make_terms(const Connection& connection, schedule::Operator combine) {
  const cost::MessageDemand demand = cost_.message(connection.sender, connection.receiver, combine);
  Terms terms;
  terms.send_overhead = delay(demand.send_overhead_seconds);
  terms.receive_overhead = delay(demand.receive_overhead_seconds);
  terms.latency = delay(demand.latency_seconds);
  terms.send_seconds_per_byte = demand.send_core_seconds_per_byte;
  terms.receive_seconds_per_byte = demand.receive_core_seconds_per_byte;
  terms.window_bytes = demand.window_bytes;
  double rate = kUnlimited;
  if (&host_of(connection.sender) == &host_of(connection.receiver))
    rate = or_unlimited(cost_.machine(connection.sender).loopback_bytes_per_second);
  for (std::uint32_t i = 0; i < connection.links; ++i) {
    const topology::Link& link =
        topology_.links[static_cast<std::size_t>(links_[connection.first_link + i])];
    terms.latency += link.latency;
    terms.bursts = terms.bursts || link.burst_bytes > 0;
    rate = std::min(rate, link.payload_bytes_per_second());
  }
  for (const double seconds : {terms.send_seconds_per_byte, terms.receive_seconds_per_byte})
    if (seconds > 0) rate = std::min(rate, 1 / seconds);
  terms.bytes_per_second = rate;
  add_profiles(terms, connection, demand);
  return terms;
}

/// A flow occupies, per byte: every link of its route, or the loopback; at either end the lane's
/// thread, as much of a core, and memory bandwidth.
void Cluster::add_profiles(Terms& terms, const Connection& connection,
                           const cost::MessageDemand& demand) {
  const Host& from = host_of(connection.sender);
  const Host& to = host_of(connection.receiver);
  const Use send_lane{lanes_[static_cast<std::size_t>(connection.sender)],
                      demand.send_core_seconds_per_byte};
  const Use receive_lane{lanes_[static_cast<std::size_t>(connection.receiver)],
                         demand.receive_core_seconds_per_byte};
  const Use send_cores{from.cores, demand.send_core_seconds_per_byte};
  const Use receive_cores{to.cores, demand.receive_core_seconds_per_byte};
  const Use send_memory{from.memory, demand.send_memory_bytes_per_byte};
  const Use receive_memory{to.memory, demand.receive_memory_bytes_per_byte};
  terms.unposted_profile = add_flow(connection, {send_lane, send_cores, send_memory});
  terms.profile = add_flow(connection, {send_lane, send_cores, send_memory, receive_lane,
                                        receive_cores, receive_memory});
}

/// The profiles with and without the links that have a burst.
std::array<std::uint32_t, 2> Cluster::add_flow(const Connection& connection,
                                               std::initializer_list<Use> ends) {
  shared_ = ends;
  shaped_.clear();
  const Host& from = host_of(connection.sender);
  if (&from == &host_of(connection.receiver)) shared_.push_back({from.loopback, 1});
  for (std::uint32_t i = 0; i < connection.links; ++i) {
    const LinkId link = links_[connection.first_link + i];
    const bool has_burst = topology_.links[static_cast<std::size_t>(link)].burst_bytes > 0;
    (has_burst ? shaped_ : shared_).push_back({link_resource(link), 1});
  }
  std::array<std::uint32_t, 2> profiles{};
  if (!shaped_.empty()) profiles[1] = fluid_.add_profile(kUnlimited, kFlowWeight, shared_);
  shared_.insert(shared_.end(), shaped_.begin(), shaped_.end());
  profiles[0] = fluid_.add_profile(kUnlimited, kFlowWeight, shared_);
  return profiles;
}

std::uint32_t Cluster::link_resource(LinkId link) {
  const auto index = static_cast<std::size_t>(link);
  if (link_resources_[index] == kNone)
    link_resources_[index] = fluid_.add_resource(topology_.links[index].payload_bytes_per_second());
  return link_resources_[index];
}

/// Works of the same cores and memory traffic per second are alike; a host has few of them.
std::uint32_t Cluster::compute_profile(Rank rank, const cost::Demand& demand) {
  const cost::Demand second{1, demand.cores, demand.memory_bytes / demand.seconds};
  Host& host = host_of(rank);
  for (const auto& [known, profile] : host.profiles)
    if (known.cores == second.cores && known.memory_bytes == second.memory_bytes) return profile;
  const Use uses[] = {{host.cores, second.cores}, {host.memory, second.memory_bytes}};
  const std::uint32_t profile = fluid_.add_profile(1, 1, uses);
  host.profiles.emplace_back(second, profile);
  return profile;
}

}  // namespace lockstep::sim
