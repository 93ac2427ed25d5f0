// SPDX-License-Identifier: Apache-2.0
#include "models/topology/routes.h"

#include <algorithm>

#include "models/base/errors.h"
#include "models/base/random.h"
#include "models/topology/shapes.h"

namespace lockstep::topology {

namespace {

const Link& link_of(const Topology& topology, LinkId link) {
  return topology.links[static_cast<std::size_t>(link)];
}

/// Sorts the links by one of their ends, keeping their order.
void sort_by(std::int32_t Link::*end, const Topology& topology, std::vector<LinkId>& links,
             std::vector<std::uint32_t>& first) {
  first.assign(static_cast<std::size_t>(topology.nodes()) + 1, 0);
  for (const Link& link : topology.links)
    ++first[static_cast<std::size_t>(link.*end) + 1];
  for (std::size_t node = 1; node < first.size(); ++node)
    first[node] += first[node - 1];
  links.resize(topology.links.size());
  std::vector<std::uint32_t> next(first.begin(), first.end() - 1);
  for (LinkId link = 0; link < std::ssize(topology.links); ++link)
    links[next[static_cast<std::size_t>(link_of(topology, link).*end)]++] = link;
}

}  // namespace

Adjacency::Adjacency(const Topology& topology) {
  sort_by(&Link::from, topology, out_, first_out_);
  sort_by(&Link::to, topology, in_, first_in_);
  neighbour_.assign(static_cast<std::size_t>(topology.nodes()), -1);
  for (HostId host = 0; host < std::ssize(topology.hosts); ++host) {
    if (out(host).size() != 1 || in(host).size() != 1) continue;
    const std::int32_t to = link_of(topology, out(host)[0]).to;
    if (to == link_of(topology, in(host)[0]).from && !topology.is_host(to))
      neighbour_[static_cast<std::size_t>(host)] = to;
  }
}

Distances::Distances(const Topology& topology, const Adjacency& adjacency)
    : topology_(topology), adjacency_(adjacency) {
  for (std::int32_t node = 0; node < topology.nodes(); ++node) {
    const bool has_place = adjacency.only_neighbour(node) < 0;
    place_.push_back(has_place ? static_cast<std::int32_t>(nodes_.size()) : -1);
    if (has_place) nodes_.push_back(node);
  }
}

std::int32_t Distances::between(std::int32_t node, HostId host) {
  if (node == host) return 0;
  std::int32_t beyond = 0;  // links between hosts at the ends and what they hang on
  const auto inward = [&](std::int32_t end) {
    const std::int32_t neighbour = adjacency_.only_neighbour(end);
    if (neighbour < 0) return end;
    ++beyond;
    return neighbour;
  };
  const std::int32_t from = inward(node);
  const std::int32_t to = inward(host);
  return row(to)[static_cast<std::size_t>(place_[static_cast<std::size_t>(from)])] + beyond;
}

/// Breadth first against the direction of the links.
const std::vector<std::int32_t>& Distances::row(std::int32_t node) {
  if (const auto known = rows_.find(node); known != rows_.end()) return known->second;
  if ((rows_.size() + 1) * nodes_.size() > kKeptPlaces) rows_.clear();
  std::vector<std::int32_t>& distances = rows_[node];
  distances.assign(nodes_.size(), kUnreachable);
  const auto at = [&](std::int32_t other) -> std::int32_t& {
    return distances[static_cast<std::size_t>(place_[static_cast<std::size_t>(other)])];
  };
  at(node) = 0;
  std::vector<std::int32_t> reached{node};
  for (std::size_t i = 0; i < reached.size(); ++i)
    for (const LinkId link : adjacency_.in(reached[i])) {
      const std::int32_t from = link_of(topology_, link).from;
      if (adjacency_.only_neighbour(from) >= 0 || at(from) != kUnreachable) continue;
      at(from) = at(reached[i]) + 1;
      reached.push_back(from);
    }
  return distances;
}

namespace {

std::uint64_t key_of(HostId from, HostId to) {
  return static_cast<std::uint64_t>(from) << 32 | static_cast<std::uint32_t>(to);
}

}  // namespace

Routes::Routes(const Topology& topology, Routing routing, std::uint64_t seed)
    : topology_(topology),
      routing_(routing),
      seed_(seed),
      adjacency_(topology),
      distances_(topology, adjacency_) {
  for (std::uint32_t i = 0; i < topology.routes.size(); ++i)
    given_.emplace(key_of(topology.routes[i].from, topology.routes[i].to), i);
}

std::int32_t Routes::distance(std::int32_t node, HostId host) {
  if (topology_.rule)
    if (const auto known = topology::distance(*topology_.rule, node, host)) return *known;
  return distances_.between(node, host);
}

/// Lists the links from the node that begin a shortest path to the host. The last link of a path is
/// looked for among those that lead to the host: a switch may have a cable to each of very many.
void Routes::find_next(std::int32_t node, HostId host) {
  next_.clear();
  const std::int32_t left = distance(node, host);
  if (left == 1) {
    for (const LinkId link : adjacency_.in(host))
      if (link_of(topology_, link).from == node) next_.push_back(link);
  } else {
    for (const LinkId link : adjacency_.out(node)) {
      const std::int32_t to = link_of(topology_, link).to;
      if (adjacency_.only_neighbour(to) < 0 && distance(to, host) == left - 1)
        next_.push_back(link);
    }
  }
  LOCKSTEP_CHECK(!next_.empty(),
                 "no route from " + topology_.node_name(node) + " to " + topology_.node_name(host));
}

Route Routes::between(const Flow& flow) {
  hops_.clear();
  if (flow.from == flow.to) return {};
  if (!given_.empty())
    if (const auto given = given_.find(key_of(flow.from, flow.to)); given != given_.end())
      return along(topology_.routes[given->second].links);
  return routing_ == Routing::Split ? all_paths(flow) : one_path(flow);
}

Route Routes::along(std::span<const LinkId> links) {
  Time latency;
  for (const LinkId link : links) {
    hops_.push_back({link, 1});
    latency += link_of(topology_, link).latency;
  }
  return {hops_, latency};
}

Route Routes::one_path(const Flow& flow) {
  Time latency;
  for (std::int32_t node = flow.from; node != flow.to;) {
    find_next(node, flow.to);
    std::size_t chosen = 0;
    if (routing_ == Routing::Hash && next_.size() > 1) {
      Random random(~seed_, key_of(flow.sender, flow.receiver), key_of(flow.stream, node));
      chosen = random.below(next_.size());
    }
    const Link& link = link_of(topology_, next_[chosen]);
    hops_.push_back({next_[chosen], 1});
    latency += link.latency;
    node = link.to;
  }
  return {hops_, latency};
}

/// All nodes at one distance from the sender, then those at the next: what reaches a node over
/// several links is one part from there on.
Route Routes::all_paths(const Flow& flow) {
  constexpr std::uint32_t kNone = UINT32_MAX;
  part_of_node_.resize(static_cast<std::size_t>(topology_.nodes()), kNone);
  parts_.assign(1, {flow.from, 1, {}});
  while (parts_.front().node != flow.to) {
    next_parts_.clear();
    for (const Part& part : parts_) {
      find_next(part.node, flow.to);
      const double share = part.share / static_cast<double>(next_.size());
      for (const LinkId id : next_) {
        const Link& link = link_of(topology_, id);
        hops_.push_back({id, share});
        std::uint32_t& known = part_of_node_[static_cast<std::size_t>(link.to)];
        if (known == kNone) {
          known = static_cast<std::uint32_t>(next_parts_.size());
          next_parts_.push_back({link.to, 0, {}});
        }
        Part& next = next_parts_[known];
        next.share += share;
        next.latency = std::max(next.latency, part.latency + link.latency);
      }
    }
    for (const Part& part : next_parts_)
      part_of_node_[static_cast<std::size_t>(part.node)] = kNone;
    parts_.swap(next_parts_);
  }
  return {hops_, parts_.front().latency};
}

}  // namespace lockstep::topology
