// SPDX-License-Identifier: Apache-2.0
// A topology that has lost a link.
#pragma once

#include "models/topology/topology.h"

namespace lockstep::topology {

/// Links after the lost one are numbered one less; routes that were given over it are forgotten.
Topology without_link(const Topology& topology, LinkId lost);

/// Whether its end can still be reached from its beginning without it: then every host still
/// reaches every other.
bool has_detour(const Topology& topology, LinkId lost);

}  // namespace lockstep::topology
