// SPDX-License-Identifier: Apache-2.0
// Which links a flow takes from host to host: found when asked for, so that a fabric of any size
// needs no table of all pairs.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "models/base/ids.h"
#include "models/base/units.h"
#include "models/topology/topology.h"

namespace lockstep::topology {

/// The nodes at the other ends of each node's links, in the order of the file.
class Adjacency {
 public:
  explicit Adjacency(const Topology& topology);

  std::span<const LinkId> out(std::int32_t node) const { return of(out_, first_out_, node); }
  std::span<const LinkId> in(std::int32_t node) const { return of(in_, first_in_, node); }
  /// The node of a host whose only cable, to a switch, makes that the last node but one of every
  /// route to it; −1 for all other nodes.
  std::int32_t only_neighbour(std::int32_t node) const {
    return neighbour_[static_cast<std::size_t>(node)];
  }

 private:
  static std::span<const LinkId> of(const std::vector<LinkId>& links,
                                    const std::vector<std::uint32_t>& first, std::int32_t node) {
    const auto i = static_cast<std::size_t>(node);
    return {links.data() + first[i], first[i + 1] - first[i]};
  }

  std::vector<LinkId> out_;
  std::vector<LinkId> in_;
  std::vector<std::uint32_t> first_out_;  // of each node, and the end
  std::vector<std::uint32_t> first_in_;
  std::vector<std::int32_t> neighbour_;
};

/// Lengths of shortest paths, in links, by search: a row for each node that they lead to, kept for
/// the next time. Hosts with an only neighbour have no rows and no places in rows, so that they are
/// few in most networks. The arguments must outlive it.
class Distances {
 public:
  Distances(const Topology& topology, const Adjacency& adjacency);

  static constexpr std::int32_t kUnreachable = 1 << 30;
  std::int32_t between(std::int32_t node, HostId host);

 private:
  static constexpr std::size_t kKeptPlaces = std::size_t{1} << 26;  // of all rows: 256 MiB

  const std::vector<std::int32_t>& row(std::int32_t node);

  const Topology& topology_;
  const Adjacency& adjacency_;
  std::vector<std::int32_t> place_;  // in rows, of each node; −1 for those without
  std::vector<std::int32_t> nodes_;  // the node of each place
  std::unordered_map<std::int32_t, std::vector<std::int32_t>> rows_;
};

/// What a route may depend on.
struct Flow {
  HostId from = 0;
  HostId to = 0;
  Rank sender = 0;
  Rank receiver = 0;
  std::uint8_t stream = 0;
};

/// A link of a route and the share of the flow that passes over it.
struct Hop {
  LinkId link = 0;
  double share = 1;

  friend bool operator==(const Hop&, const Hop&) = default;
};

/// In order, from the sender on; empty when both are on the same host (loopback). Latency is that
/// of the slowest way through it.
struct Route {
  std::span<const Hop> hops;
  Time latency;
};

/// The route of a flow: the given one if there is one; otherwise, by the topology's routing, over
/// shortest paths by number of links. Hosts pass on what is not for them, as switches do. The
/// topology must outlive the routes.
class Routes {
 public:
  /// `seed` is what Routing::Hash draws from.
  explicit Routes(const Topology& topology, std::uint64_t seed = 0)
      : Routes(topology, topology.routing, seed) {}
  Routes(const Topology& topology, Routing routing, std::uint64_t seed);

  /// Valid until the next call. Every host must reach every other.
  Route between(const Flow& flow);

 private:
  /// Where a part of a split flow has got to.
  struct Part {
    std::int32_t node = 0;
    double share = 0;
    Time latency;
  };

  std::int32_t distance(std::int32_t node, HostId host);
  void find_next(std::int32_t node, HostId host);
  Route along(std::span<const LinkId> links);
  Route one_path(const Flow& flow);
  Route all_paths(const Flow& flow);

  const Topology& topology_;
  Routing routing_;
  std::uint64_t seed_;
  Adjacency adjacency_;
  Distances distances_;
  std::unordered_map<std::uint64_t, std::uint32_t> given_;  // from and to → topology.routes
  std::vector<Hop> hops_;                                   // the answer of the last call
  std::vector<LinkId> next_;                                // scratch: links that lead on
  std::vector<Part> parts_;                                 // scratch: of one distance
  std::vector<Part> next_parts_;
  std::vector<std::uint32_t> part_of_node_;  // in next_parts_
};

}  // namespace lockstep::topology
