// SPDX-License-Identifier: Apache-2.0
#include "models/topology/topology.h"

#include <algorithm>
#include <map>

#include "models/base/errors.h"

namespace lockstep::topology {

std::string Topology::node_name(std::int32_t node) const {
  const auto index = static_cast<std::size_t>(node);
  return index < hosts.size() ? hosts[index].name : switches.at(index - hosts.size());
}

Routes::Routes(const Topology& topology)
    : topology_(topology),
      links_out_(topology.hosts.size() + topology.switches.size()),
      rows_(links_out_.size()) {
  for (std::size_t link = 0; link < topology.links.size(); ++link)
    links_out_[static_cast<std::size_t>(topology.links[link].from)].push_back(
        static_cast<LinkId>(link));
}

const std::vector<LinkId>& Routes::row(std::int32_t root) {
  std::vector<LinkId>& last_links = rows_[static_cast<std::size_t>(root)];
  if (!last_links.empty()) return last_links;
  // Breadth first, links in the order of the file: the first link that reaches a node is the last
  // link of its route.
  last_links.assign(links_out_.size(), -1);
  std::vector<std::int32_t> reached{root};
  for (std::size_t i = 0; i < reached.size(); ++i) {
    for (const LinkId link : links_out_[static_cast<std::size_t>(reached[i])]) {
      const std::int32_t to = topology_.links[static_cast<std::size_t>(link)].to;
      LinkId& last = last_links[static_cast<std::size_t>(to)];
      if (to == root || last >= 0) continue;
      last = link;
      reached.push_back(to);
    }
  }
  return last_links;
}

const std::vector<LinkId>& Routes::between(HostId from, HostId to) {
  path_.clear();
  if (from == to) return path_;
  // All routes of a host with a single cable begin with it: it shares the row of its neighbour,
  // so that a star of any size has one row.
  const std::vector<LinkId>& cables = links_out_[static_cast<std::size_t>(from)];
  const bool single = cables.size() == 1;
  const std::int32_t root =
      single ? topology_.links[static_cast<std::size_t>(cables.front())].to : from;
  const std::vector<LinkId>& last_links = row(root);
  for (std::int32_t node = to; node != root;) {
    const LinkId link = last_links[static_cast<std::size_t>(node)];
    LOCKSTEP_CHECK(link >= 0,
                   "no route from " + topology_.node_name(from) + " to " + topology_.node_name(to));
    path_.push_back(link);
    node = topology_.links[static_cast<std::size_t>(link)].from;
  }
  if (single) path_.push_back(cables.front());
  std::reverse(path_.begin(), path_.end());
  return path_;
}

std::vector<HostId> place(const Topology& topology, std::int32_t ranks, PlacementKind kind) {
  const auto hosts = static_cast<std::int32_t>(topology.hosts.size());
  LOCKSTEP_CHECK(hosts > 0, "a topology has at least one host");
  std::vector<HostId> host_of_rank(static_cast<std::size_t>(ranks));
  // Packed: the first ranks % hosts hosts carry one rank more than the others.
  const std::int32_t few = ranks / hosts;
  const std::int32_t crowded = ranks % hosts * (few + 1);  // ranks on the hosts with one more
  for (std::int32_t rank = 0; rank < ranks; ++rank) {
    HostId host = 0;
    switch (kind) {
      case PlacementKind::Packed:
        host = rank < crowded ? rank / (few + 1) : ranks % hosts + (rank - crowded) / few;
        break;
      case PlacementKind::Scattered:
        host = rank % hosts;
        break;
    }
    host_of_rank[static_cast<std::size_t>(rank)] = host;
  }
  return host_of_rank;
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

}  // namespace lockstep::topology
