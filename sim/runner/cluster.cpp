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

/// Adds to what is there of the same resource.
void add_use(const Use& more, std::vector<Use>& uses) {
  for (Use& use : uses)
    if (use.resource == more.resource) {
      use.usage += more.usage;
      return;
    }
  uses.push_back(more);
}

/// Uses of one resource to the same extent, by links that it stands for, become one.
void merge_alike(std::vector<Use>& uses) {
  std::sort(uses.begin(), uses.end(), [](const Use& a, const Use& b) {
    return a.resource != b.resource ? a.resource < b.resource : a.usage < b.usage;
  });
  std::size_t kept = 0;
  for (const Use& use : uses)
    if (kept > 0 && uses[kept - 1].resource == use.resource && uses[kept - 1].usage == use.usage)
      uses[kept - 1].alike += use.alike;
    else
      uses[kept++] = use;
  uses.resize(kept);
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
                 std::span<const HostId> host_of_rank, std::uint64_t seed, const Folding& folding,
                 SharedNetwork& network, Quotas& quotas)
    : cost_(cost),
      topology_(topology),
      host_of_rank_(host_of_rank),
      folding_(folding),
      network_(network),
      fluid_(network.fluid),
      seed_(seed),
      quotas_(quotas),
      // A connection's packets are not sprayed: they take one path.
      routes_(topology,
              network.tcp && topology.routing == topology::Routing::Split ? topology::Routing::Hash
                                                                          : topology.routing,
              seed),
      hosts_(topology.hosts.size()) {
  for (std::int32_t place = 0; place < folding.simulated_ranks(); ++place)
    lanes_.push_back(fluid_.add_resource(1));  // one thread
  for (std::size_t rank = 0; rank < host_of_rank.size(); ++rank) {
    const HostId id = host_of_rank[rank];
    LOCKSTEP_CHECK(id >= 0 && static_cast<std::size_t>(id) < hosts_.size(),
                   "rank " + std::to_string(rank) + " is placed on host " + std::to_string(id));
    Host& host = hosts_[static_cast<std::size_t>(id)];
    if (host.ranks == 0 && folding.like_host(id) == id)
      add_host(id, cost.machine(static_cast<Rank>(rank)));
    rank_on_host_.push_back(host.ranks++);
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

void Cluster::add_host(HostId id, const cost::Machine& machine) {
  const topology::Host& given = topology_.hosts[static_cast<std::size_t>(id)];
  Host& host = hosts_[static_cast<std::size_t>(id)];
  const bool has_quota = given.quota_period > Time{};
  double cores = given.cores > 0 ? given.cores : machine.cores;
  if (has_quota) cores = std::max(cores, machine.cores);
  for (std::int32_t socket = 0; socket < given.sockets; ++socket)
    host.sockets.push_back(
        {fluid_.add_resource(or_unlimited(cores / given.sockets)),
         fluid_.add_resource(or_unlimited(machine.memory_bytes_per_second / given.sockets))});
  host.loopback = fluid_.add_resource(or_unlimited(machine.loopback_bytes_per_second));
  if (has_quota)
    host.quota = quotas_.add(host.sockets.front().cores, given.cores, given.quota_period);
  if (given.sockets == 1) return;
  for (std::int32_t link = 0; link < given.sockets * given.sockets; ++link)
    host.socket_links.push_back(fluid_.add_resource(given.socket_bytes_per_second));
}

Cluster::Host& Cluster::host_of(Rank rank) {
  return hosts_[static_cast<std::size_t>(folding_.like_host(host_id(rank)))];
}

std::vector<double> Cluster::socket_shares(Rank rank) {
  const Host& host = host_of(rank);
  return topology::socket_shares(rank_on_host_[static_cast<std::size_t>(rank)], host.ranks,
                                 static_cast<std::int32_t>(host.sockets.size()));
}

/// Uses of the cores and the memory of the sockets that the rank is pinned to; added to what is
/// there of the same resources.
void Cluster::add_processor_uses(Rank rank, double cores, double memory, std::vector<Use>& uses) {
  const Host& host = host_of(rank);
  const std::uint32_t meeting = folding_.meeting_at_host(host_id(rank));
  const auto add_socket = [&](const Socket& socket, double share) {
    add_use({socket.cores, share * cores, meeting}, uses);
    add_use({socket.memory, share * memory, meeting}, uses);
  };
  if (host.sockets.size() == 1) return add_socket(host.sockets.front(), 1);  // no need to ask
  const std::vector<double> shares = socket_shares(rank);
  for (std::size_t socket = 0; socket < shares.size(); ++socket)
    add_socket(host.sockets[socket], shares[socket]);
}

/// Of the processors that hosts share.
void Cluster::add_shared_use(double cores, std::vector<Use>& uses) {
  if (network_.processors() != kNone) add_use({network_.processors(), cores}, uses);
}

std::vector<Cluster::Crossing> Cluster::crossings(const Connection& connection) {
  std::vector<Crossing> all;
  const Host& host = host_of(connection.sender);
  if (!is_within_host(connection) || host.sockets.size() == 1) return all;
  const std::vector<double> from = socket_shares(connection.sender);
  const std::vector<double> to = socket_shares(connection.receiver);
  for (std::size_t a = 0; a < from.size(); ++a)
    for (std::size_t b = 0; b < to.size(); ++b)
      if (a != b && from[a] * to[b] > 0)
        all.push_back({host.socket_links[a * to.size() + b], from[a] * to[b]});
  return all;
}

std::uint32_t Cluster::connect(Rank sender, Rank receiver, std::uint8_t stream) {
  connections_.push_back({.sender = sender,
                          .receiver = receiver,
                          .stream = stream,
                          .polled = host_id(sender) == host_id(receiver) && cost_.polls(receiver)});
  find_route(connections_.back());
  return static_cast<std::uint32_t>(connections_.size() - 1);
}

void Cluster::find_route(Connection& connection) {
  const topology::Flow flow{.from = host_id(connection.sender),
                            .to = host_id(connection.receiver),
                            .sender = connection.sender,
                            .receiver = connection.receiver,
                            .stream = connection.stream};
  const auto set = [&](const topology::Route& route) {
    connection.first_hop = static_cast<std::uint32_t>(hops_.size());
    connection.hops = static_cast<std::uint32_t>(route.hops.size());
    connection.latency = route.latency;
    hops_.insert(hops_.end(), route.hops.begin(), route.hops.end());
  };
  set(routes_.between(flow));
  if (!takes_lost_link(connection)) return;
  set(detour_->routes.between(flow));
  for (std::uint32_t i = 0; i < connection.hops; ++i)
    if (LinkId& link = hops_[connection.first_hop + i].link; link >= detour_->lost) ++link;
}

bool Cluster::takes_lost_link(const Connection& connection) const {
  const auto first = hops_.begin() + connection.first_hop;
  return detour_ && std::any_of(first, first + connection.hops, [&](const topology::Hop& hop) {
           return hop.link == detour_->lost;
         });
}

void Cluster::avoid(LinkId link) {
  LOCKSTEP_CHECK(!detour_ && topology::has_detour(topology_, link),
                 "link " + std::to_string(link) + " cannot be avoided");
  detour_ = std::make_unique<Detour>(topology_, link, seed_);
  for (Connection& connection : connections_) {
    if (!takes_lost_link(connection)) continue;
    find_route(connection);
    connection.terms.fill(kNone);
  }
}

std::span<const topology::Hop> Cluster::route(std::uint32_t connection) const {
  return {hops_.data() + connections_[connection].first_hop, connections_[connection].hops};
}

std::vector<LinkId> Cluster::links(std::uint32_t number, bool back) {
  const Connection& of = connections_[number];
  topology::Flow flow{host_id(of.sender), host_id(of.receiver), of.sender, of.receiver, of.stream};
  if (back) {
    std::swap(flow.from, flow.to);
    std::swap(flow.sender, flow.receiver);
  }
  std::vector<LinkId> links;
  for (const topology::Hop& hop : routes_.between(flow).hops)
    links.push_back(hop.link);
  return links;
}

const Terms& Cluster::new_terms(std::uint32_t connection, schedule::Operator combine) {
  terms_.push_back(make_terms(connections_[connection], combine));
  connections_[connection].terms[static_cast<std::size_t>(combine)] =
      static_cast<std::uint32_t>(terms_.size() - 1);
  return terms_.back();
}

Terms Cluster::make_terms(const Connection& connection, schedule::Operator combine) {
  const bool within_host = is_within_host(connection);
  const cost::MessageDemand demand =
      cost_.message(connection.sender, connection.receiver, within_host, combine);
  Terms terms;
  terms.send_overhead = delay(demand.send_overhead_seconds);
  terms.receive_overhead = delay(demand.receive_overhead_seconds);
  const bool is_packet = !within_host && network_.tcp;
  terms.latency = (is_packet ? Time{} : connection.latency) + delay(demand.latency_seconds);
  terms.send_seconds_per_byte = demand.send_core_seconds_per_byte;
  terms.receive_seconds_per_byte = demand.receive_core_seconds_per_byte;
  terms.window_bytes = demand.window_bytes;
  terms.copied_before = is_packet || (!within_host && quota(connection.sender) != kNoQuota);
  terms.copied_after = is_packet || (!within_host && quota(connection.receiver) != kNoQuota);
  double rate = kUnlimited;
  if (within_host && !cost_.takes_directly())
    rate = or_unlimited(cost_.machine(connection.sender).loopback_bytes_per_second);
  const auto host =
      static_cast<std::size_t>(host_of_rank_[static_cast<std::size_t>(connection.sender)]);
  const std::vector<Crossing> crossed = crossings(connection);
  if (!crossed.empty()) terms.latency += topology_.hosts[host].socket_latency;
  for (const Crossing& crossing : crossed)
    rate = std::min(rate, topology_.hosts[host].socket_bytes_per_second / crossing.share);
  for (std::uint32_t i = 0; i < connection.hops; ++i) {
    const topology::Hop& hop = hops_[connection.first_hop + i];
    const topology::Link& link = topology_.links[static_cast<std::size_t>(hop.link)];
    terms.bursts = terms.bursts || link.burst_bytes > 0;
    rate = std::min(rate, link.payload_bytes_per_second() / hop.share);
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
  ends_.clear();
  if (!terms.copied_before) {
    add_lane_use(connection.sender, demand.send_core_seconds_per_byte, ends_);
    add_processor_uses(connection.sender, demand.send_core_seconds_per_byte,
                       demand.send_memory_bytes_per_byte, ends_);
  }
  add_shared_use(demand.send_core_seconds_per_byte, ends_);
  if (terms.copied_after) add_shared_use(demand.receive_core_seconds_per_byte, ends_);
  terms.unposted_profile = add_flow(connection);
  if (terms.copied_after) {
    terms.profile = terms.unposted_profile;
    return;
  }
  // On another host, which may be like the sender's and have the same resource, nothing adds up.
  std::vector<Use> receiving;
  std::vector<Use>& uses = is_within_host(connection) ? ends_ : receiving;
  add_processor_uses(connection.receiver, demand.receive_core_seconds_per_byte,
                     demand.receive_memory_bytes_per_byte, uses);
  ends_.insert(ends_.end(), receiving.begin(), receiving.end());
  add_lane_use(connection.receiver, demand.receive_core_seconds_per_byte, ends_);
  add_shared_use(demand.receive_core_seconds_per_byte, ends_);
  terms.profile = add_flow(connection);
}

void Cluster::add_lane_use(Rank rank, double usage, std::vector<Use>& uses) {
  uses.push_back({lanes_[static_cast<std::size_t>(folding_.place(rank))], usage});
}

/// The profiles with and without the links that have a burst, of a flow with these ends_.
std::array<std::uint32_t, 2> Cluster::add_flow(const Connection& connection) {
  shared_ = ends_;
  shaped_.clear();
  const std::uint32_t meeting = folding_.meeting_at_host(host_id(connection.sender));
  if (is_within_host(connection) && !cost_.takes_directly())
    shared_.push_back({host_of(connection.sender).loopback, 1, meeting});
  for (const Crossing& crossing : crossings(connection))
    shared_.push_back({crossing.resource, crossing.share, meeting});
  for (std::uint32_t i = 0; i < connection.hops; ++i) {
    const auto [link, share] = hops_[connection.first_hop + i];
    const bool has_burst = topology_.links[static_cast<std::size_t>(link)].burst_bytes > 0;
    (has_burst ? shaped_ : shared_)
        .push_back({link_resource(link), share, folding_.meeting_on_link(link)});
  }
  if (!folding_.is_trivial()) merge_alike(shared_);
  std::array<std::uint32_t, 2> profiles{};
  if (!shaped_.empty()) profiles[1] = fluid_.add_profile(kUnlimited, kFlowWeight, shared_);
  shared_.insert(shared_.end(), shaped_.begin(), shaped_.end());
  profiles[0] = fluid_.add_profile(kUnlimited, kFlowWeight, shared_);
  return profiles;
}

/// Works of the same cores and memory traffic per second are alike; a host has few of them.
std::uint32_t Cluster::compute_profile(Rank rank, schedule::Lane lane, const cost::Demand& demand) {
  const cost::Demand second{1, demand.cores, demand.memory_bytes / demand.seconds};
  Host& host = host_of(rank);
  const std::int32_t number =
      host.sockets.size() == 1 ? 0 : rank_on_host_[static_cast<std::size_t>(rank)];
  const bool communicates = lane == schedule::Lane::Communication;
  const std::uint32_t held =
      communicates ? lanes_[static_cast<std::size_t>(folding_.place(rank))] : kNone;
  for (const Profile& known : host.profiles)
    if (known.rank == number && known.lane == held && known.demand.cores == second.cores &&
        known.demand.memory_bytes == second.memory_bytes)
      return known.number;
  ends_.clear();
  add_processor_uses(rank, second.cores, second.memory_bytes, ends_);
  add_shared_use(second.cores, ends_);
  if (communicates) add_lane_use(rank, 1, ends_);
  const std::uint32_t profile = fluid_.add_profile(1, 1, ends_);
  host.profiles.push_back({number, held, second, profile});
  return profile;
}

}  // namespace lockstep::sim
