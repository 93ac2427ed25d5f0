// SPDX-License-Identifier: Apache-2.0
// Topologies that follow a rule, so that a file need not list a thousand hosts: one function for
// each shape of shapes.h.
#pragma once

#include <cstdint>

#include "models/topology/topology.h"

namespace lockstep::topology {

/// The hosts, switches and links of the rule, which has passed fault_of(). Named after its shape.
Topology generate(const Rule& rule);

/// Appends both links of a cable from node `from` to node `to`.
void add_cable(Topology& topology, const Cable& cable, std::int32_t from, std::int32_t to);

}  // namespace lockstep::topology
