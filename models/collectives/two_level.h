// SPDX-License-Identifier: Apache-2.0
// All-reduce within groups and between them: what hierarchical and torus are made of.
#pragma once

#include "models/collectives/algorithm.h"

namespace lockstep::collectives {

/// How the members of a group reduce and gather: everyone with everyone, or round a ring.
enum class Within : std::uint8_t { Direct, Ring };

/// The data are cut into shards, as many as the largest group has members; in a smaller group some
/// members own several consecutive ones. A reduce-scatter within each group leaves every member
/// with its shards summed over the group; then the owners of each shard, one in each group,
/// all-reduce it round a ring (ring.h); then an all-gather within each group hands the shards to
/// all members. Segments go from one of these phases to the next as soon as they are ready.
std::shared_ptr<const schedule::StepSource> make_two_level(const Operation& operation,
                                                           Within within);

}  // namespace lockstep::collectives
