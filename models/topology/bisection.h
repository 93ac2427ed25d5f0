// SPDX-License-Identifier: Apache-2.0
// How much can pass between the two halves of a cluster, for topologies that no formula knows.
#pragma once

#include <optional>
#include <vector>

#include "models/topology/topology.h"

namespace lockstep::topology {

/// Bytes per second that the hosts with `sends` set can send to the others, all links used at once
/// over whatever ways: the maximum flow, which is the minimum cut.
double flow_across(const Topology& topology, const std::vector<bool>& sends);

struct Bisection {
  double bytes_per_second = 0;
  bool is_exact = false;  // otherwise the least of the splits that were tried: a bound from above
};

/// The least flow_across() from one half of the hosts to the other, over all splits in halves (as
/// equal as it goes) of up to 16 hosts, over some of more. None for a single host, and beyond 4096
/// links.
std::optional<Bisection> search_bisection(const Topology& topology);

}  // namespace lockstep::topology
