// SPDX-License-Identifier: Apache-2.0
// Topologies that follow a rule, so that a file need not list a thousand hosts: one struct and one
// function for each rule; topology_json.cpp reads the struct from the key `generate`.
#pragma once

#include <cstdint>

#include "models/topology/topology.h"

namespace lockstep::topology {

/// host0 … host(hosts−1), each on its own full-duplex cable to one switch.
struct Star {
  std::int32_t hosts = 1;
  Host host;  // what all hosts have in common; its name is ignored
  Link link;  // likewise the cables; name, from and to are ignored
};

Topology make_star(const Star& star);

/// Appends `cable` as the link from node `from` to node `to`, named after them.
void add_link(Topology& topology, Link cable, std::int32_t from, std::int32_t to);

}  // namespace lockstep::topology
