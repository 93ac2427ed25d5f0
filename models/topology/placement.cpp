// SPDX-License-Identifier: Apache-2.0
#include "models/topology/placement.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "models/base/errors.h"

namespace lockstep::topology {

namespace {

std::vector<HostId> place_listed(const Topology& topology, std::int32_t ranks,
                                 const std::vector<std::string>& names, const std::string& where) {
  if (names.size() != static_cast<std::size_t>(ranks))
    throw ConfigError(where, "names the hosts of " + std::to_string(names.size()) +
                                 " ranks, expected " + std::to_string(ranks));
  std::unordered_map<std::string, HostId> hosts;
  for (const Host& host : topology.hosts)
    hosts.emplace(host.name, static_cast<HostId>(hosts.size()));
  std::vector<HostId> host_of_rank;
  for (const std::string& name : names) {
    const auto found = hosts.find(name);
    if (found == hosts.end()) {
      std::vector<std::string> known;
      for (const Host& host : topology.hosts)
        known.push_back(host.name);
      const std::string meant = nearest(name, known.data(), known.data() + known.size());
      throw ConfigError(where, "rank " + std::to_string(host_of_rank.size()) + " is placed on \"" +
                                   name + "\", which is no host of topology " + "\"" +
                                   topology.name + "\"" +
                                   (meant.empty() ? "" : "; did you mean \"" + meant + "\"?"));
    }
    host_of_rank.push_back(found->second);
  }
  return host_of_rank;
}

}  // namespace

std::vector<HostId> place(const Topology& topology, std::int32_t ranks, const Placement& placement,
                          const std::string& where) {
  const auto hosts = static_cast<std::int32_t>(topology.hosts.size());
  LOCKSTEP_CHECK(hosts > 0, "a topology has at least one host");
  std::vector<HostId> host_of_rank(static_cast<std::size_t>(ranks));
  // Packed: the first ranks % hosts hosts carry one rank more than the others.
  const std::int32_t few = ranks / hosts;
  const std::int32_t crowded = ranks % hosts * (few + 1);  // ranks on the hosts with one more
  for (std::int32_t rank = 0; rank < ranks; ++rank) {
    HostId host = 0;
    switch (placement.kind) {
      case PlacementKind::Packed:
        host = rank < crowded ? rank / (few + 1) : ranks % hosts + (rank - crowded) / few;
        break;
      case PlacementKind::Scattered:
        host = rank % hosts;
        break;
      case PlacementKind::Listed:
        return place_listed(topology, ranks, placement.hosts, where);
    }
    host_of_rank[static_cast<std::size_t>(rank)] = host;
  }
  return host_of_rank;
}

std::vector<double> socket_shares(std::int32_t rank_on_host, std::int32_t ranks_on_host,
                                  std::int32_t sockets) {
  // In units of 1 / (ranks · sockets) of the host, the rank's block begins at rank · sockets and is
  // `sockets` long; socket s begins at s · ranks and is `ranks` long.
  const std::int64_t begin = std::int64_t{rank_on_host} * sockets;
  std::vector<double> shares;
  for (std::int64_t socket = 0; socket < sockets; ++socket) {
    const std::int64_t first = std::max(begin, socket * ranks_on_host);
    const std::int64_t last = std::min(begin + sockets, (socket + 1) * ranks_on_host);
    shares.push_back(static_cast<double>(std::max<std::int64_t>(0, last - first)) / sockets);
  }
  return shares;
}

namespace {

/// The node at the other end of each host's first cable; the host itself if it has none.
std::vector<std::int32_t> racks_of(const Topology& topology) {
  std::vector<std::int32_t> racks;
  for (std::size_t host = 0; host < topology.hosts.size(); ++host)
    racks.push_back(static_cast<std::int32_t>(host));
  for (auto link = topology.links.rbegin(); link != topology.links.rend(); ++link)
    if (static_cast<std::size_t>(link->from) < racks.size())
      racks[static_cast<std::size_t>(link->from)] = link->to;
  return racks;
}

}  // namespace

std::vector<std::int32_t> group_ranks(const Topology& topology,
                                      std::span<const HostId> host_of_rank, const GroupBy& by) {
  LOCKSTEP_CHECK(by.kind != GroupBy::Kind::Consecutive || by.ranks > 0, "groups of no ranks");
  const std::vector<std::int32_t> racks = racks_of(topology);
  std::map<std::int32_t, std::int32_t> numbers;  // of the groups, by what their ranks share
  std::vector<std::int32_t> group_of_rank;
  for (std::size_t rank = 0; rank < host_of_rank.size(); ++rank) {
    std::int32_t shared = host_of_rank[rank];
    switch (by.kind) {
      case GroupBy::Kind::Host:
        break;
      case GroupBy::Kind::Rack:
        shared = racks[static_cast<std::size_t>(shared)];
        break;
      case GroupBy::Kind::Consecutive:
        shared = static_cast<std::int32_t>(rank) / by.ranks;
        break;
    }
    const auto next = static_cast<std::int32_t>(numbers.size());
    group_of_rank.push_back(numbers.emplace(shared, next).first->second);
  }
  return group_of_rank;
}

std::string name_of(PlacementKind kind) {
  switch (kind) {
    case PlacementKind::Packed:
      return "packed";
    case PlacementKind::Scattered:
      return "scattered";
    case PlacementKind::Listed:
      return "listed";
  }
  return "";
}

}  // namespace lockstep::topology
