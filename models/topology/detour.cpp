// SPDX-License-Identifier: Apache-2.0
#include "models/topology/detour.h"

#include <algorithm>
#include <vector>

#include "models/topology/routes.h"

namespace lockstep::topology {

Topology without_link(const Topology& topology, LinkId lost) {
  Topology left = topology;
  left.rule.reset();
  left.links.erase(left.links.begin() + lost);
  std::erase_if(left.routes, [&](const GivenRoute& route) {
    return std::find(route.links.begin(), route.links.end(), lost) != route.links.end();
  });
  for (GivenRoute& route : left.routes)
    for (LinkId& link : route.links)
      if (link > lost) --link;
  return left;
}

bool has_detour(const Topology& topology, LinkId lost) {
  const Adjacency adjacency(topology);
  const Link& link = topology.links[static_cast<std::size_t>(lost)];
  std::vector<bool> is_reached(static_cast<std::size_t>(topology.nodes()));
  std::vector<std::int32_t> reached{link.from};
  is_reached[static_cast<std::size_t>(link.from)] = true;
  for (std::size_t i = 0; i < reached.size(); ++i)
    for (const LinkId out : adjacency.out(reached[i])) {
      const std::int32_t to = topology.links[static_cast<std::size_t>(out)].to;
      if (out == lost || is_reached[static_cast<std::size_t>(to)]) continue;
      is_reached[static_cast<std::size_t>(to)] = true;
      reached.push_back(to);
    }
  return is_reached[static_cast<std::size_t>(link.to)];
}

}  // namespace lockstep::topology
