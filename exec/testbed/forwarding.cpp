// SPDX-License-Identifier: Apache-2.0
#include "exec/testbed/forwarding.h"

#include "models/base/errors.h"
#include "models/topology/routes.h"

namespace lockstep::exec {

std::vector<ForwardingTable> forwarding_tables(const topology::Topology& topology) {
  LOCKSTEP_CHECK(topology.routing == topology::Routing::First, name_of(topology.routing));
  const auto hosts = static_cast<HostId>(topology.hosts.size());
  const auto nodes = static_cast<std::size_t>(topology.nodes());
  std::vector<ForwardingTable> tables(nodes);
  topology::Routes routes(topology);
  std::vector<LinkId> usual(nodes);  // of each node to the host at hand; −1 = none yet
  for (HostId to = 0; to < hosts; ++to) {
    usual.assign(nodes, -1);
    for (HostId from = 0; from < hosts; ++from)
      for (const topology::Hop& hop : routes.between({.from = from, .to = to}).hops) {
        const auto node =
            static_cast<std::size_t>(topology.links[static_cast<std::size_t>(hop.link)].from);
        if (usual[node] < 0) {
          usual[node] = hop.link;
          tables[node].usual.push_back({to, hop.link});
        } else if (usual[node] != hop.link) {
          tables[node].exceptions.push_back({from, to, hop.link});
        }
      }
  }
  return tables;
}

}  // namespace lockstep::exec
