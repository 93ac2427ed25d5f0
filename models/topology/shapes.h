// SPDX-License-Identifier: Apache-2.0
// The regular topologies as facts: their parameters, sizes, distances, diameter and bisection as
// closed forms. What makes the hosts and links of each is in generators.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/topology/topology.h"

namespace lockstep::topology {

/// A whole number that a shape needs, at least `low`.
struct Parameter {
  const char* key;
  std::int32_t low;
  std::int32_t fallback;  // when it is not given; 0 = it must be
  const char* help;
};

/// The key of a further tier of cables, which are the hosts' ones where it does not say otherwise.
struct Tier {
  const char* key;
  const char* help;
};

struct ShapeFacts {
  Shape shape;
  const char* name;
  const char* help;
  std::vector<Parameter> parameters;
  std::vector<Tier> tiers;
};

/// All shapes, in the order of the enumeration.
const std::vector<ShapeFacts>& shapes();
const ShapeFacts& shape_facts(Shape shape);

/// As doubles, because a rule may ask for more than there are integers.
struct Counts {
  double hosts = 0;
  double switches = 0;
  double cables = 0;  // full-duplex: two links each
};
Counts counts(const Rule& rule);

/// What keeps the rule from being made: sizes that do not fit together, too many nodes or links.
/// "" when nothing does.
std::string fault_of(const Rule& rule);

inline constexpr std::int32_t kMaxNodes = 1 << 21;
inline constexpr std::int32_t kMaxLinks = 1 << 23;

/// Links on a shortest path from any node to a host, by arithmetic; none when there is no closed
/// form for the shape.
std::optional<std::int32_t> distance(const Rule& rule, std::int32_t node, HostId host);

/// Links between the two hosts that are farthest apart; none as above.
std::optional<std::int32_t> diameter(const Rule& rule);

/// Bytes per second, one way, that can pass between the halves of the hosts for the worst of all
/// splits in halves. None when there is no closed form for these sizes, or when cables differ in
/// their directions.
/// Sources: Dally and Towles, Principles and Practices of Interconnection Networks (2004), chapters
/// 3 and 5 (torus, hypercube); Al-Fares, Loukissas, Vahdat (SIGCOMM 2008) (fat tree); Kim, Dally,
/// Scott, Abts (ISCA 2008) (dragonfly).
std::optional<double> bisection(const Rule& rule);

/// Ring, line, torus and hypercube are grids: hosts in each dimension, the first one runs fastest.
/// Empty for other shapes.
std::vector<std::int32_t> grid_sizes(const Rule& rule);

/// A dragonfly's groups are fully connected, and so are its routers within a group (Kim et al.,
/// figure 3). Group g's cable to group t leaves from router other(g, t) / global links, where
/// other() numbers the groups other than g: "consecutive" in Hastings et al. (CLUSTER 2015).
struct Dragonfly {
  explicit Dragonfly(const Rule& rule);
  std::int32_t hosts_per_router;
  std::int32_t routers;       // in a group
  std::int32_t global_links;  // of a router
  std::int32_t groups;

  /// The router of group `group`, numbered over all groups, whose cable leads to group `to`.
  std::int32_t gateway(std::int32_t group, std::int32_t to) const {
    return group * routers + (to < group ? to : to - 1) / global_links;
  }
};

}  // namespace lockstep::topology
