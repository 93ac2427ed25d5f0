// SPDX-License-Identifier: Apache-2.0
#include "models/topology/generators.h"

namespace lockstep::topology {

void add_link(Topology& topology, Link cable, std::int32_t from, std::int32_t to) {
  cable.name = topology.node_name(from) + "->" + topology.node_name(to);
  cable.from = from;
  cable.to = to;
  topology.links.push_back(std::move(cable));
}

Topology make_star(const Star& star) {
  Topology topology;
  topology.name = "star";
  for (std::int32_t host = 0; host < star.hosts; ++host) {
    topology.hosts.push_back(star.host);
    topology.hosts.back().name = "host" + std::to_string(host);
  }
  topology.switches.push_back("switch");
  for (std::int32_t host = 0; host < star.hosts; ++host) {
    add_link(topology, star.link, host, star.hosts);
    add_link(topology, star.link, star.hosts, host);
  }
  return topology;
}

}  // namespace lockstep::topology
