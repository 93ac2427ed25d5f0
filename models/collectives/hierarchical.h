// SPDX-License-Identifier: Apache-2.0
// The hierarchical all-reduce.
#pragma once

#include "models/collectives/algorithm.h"

namespace lockstep::collectives {

/// Reduce-scatter within each group, rings between the groups, all-gather within each group
/// (two_level.h); a group is what is near: the ranks of a host, or of a rack. Within a group
/// everyone sends to everyone directly: one latency, and each shard is summed in one place.
///
/// With G equal groups of g members, time 2α + 2(g−1)/g·n·β within groups and 2(G−1)α +
/// 2(G−1)/G·n/g·β between them, the g rings of a host sharing its cable; bytes sent per rank
/// 2(p−1)/p·n. Only n of these 2g(p−1)/p·n bytes cross a host's cable twice, as in a ring over well
/// placed ranks; it wins over that by latencies, 2G instead of 2p, and wherever ranks are placed
/// badly for a ring.
std::shared_ptr<const schedule::StepSource> make_hierarchical(const Operation& operation);

/// A message of the largest shard to begin and to end with, if any group has members to talk to,
/// and 2(G−1) of its largest chunk. Exact for equal groups; otherwise too much, by those two at
/// most, because members of groups of one need not wait for them.
Time hierarchical_closed_form(const Operation& operation, const IdealNetwork& network);

}  // namespace lockstep::collectives
