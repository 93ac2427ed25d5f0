// SPDX-License-Identifier: Apache-2.0
// The routes of a topology as tables of its nodes, so that real packets go where predicted ones do.
#pragma once

#include <vector>

#include "models/base/ids.h"
#include "models/topology/topology.h"

namespace lockstep::exec {

/// What is for a host leaves the node by this link.
struct NextLink {
  HostId to = 0;
  LinkId link = 0;
};

/// Unless it comes from this host.
struct Exception {
  HostId from = 0;
  HostId to = 0;
  LinkId link = 0;
};

/// Of one node.
struct ForwardingTable {
  std::vector<NextLink> usual;  // at most one for each host
  std::vector<Exception> exceptions;
};

/// By node, for the routes between all pairs of hosts, none of which may be split or hashed.
std::vector<ForwardingTable> forwarding_tables(const topology::Topology& topology);

}  // namespace lockstep::exec
