// SPDX-License-Identifier: Apache-2.0
// What a topology is, in a few figures for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/topology/bisection.h"
#include "models/topology/topology.h"

namespace lockstep::topology {

struct Facts {
  std::int32_t diameter = 0;  // links between the two hosts that are farthest apart
  bool is_exact = false;      // the diameter; otherwise it is at least that
  std::optional<Bisection> bisection;
  LinkId slowest = -1;  // by raw rate, the first of these; −1 without links
  LinkId fastest = -1;
  /// Switches that the first cables of hosts lead to; 0 when no host has a cable to a switch.
  std::int32_t racks = 0;
  bool has_equal_paths = false;            // whether hosts have several shortest paths between them
  std::vector<std::string> idle_switches;  // without any link
};

Facts facts_of(const Topology& topology);

/// "fat-tree: k 4, oversubscription 1"; "listed".
std::string describe(const std::optional<Rule>& rule);
/// The figures as a table of two columns, a line each.
std::string to_table(const Topology& topology, const Facts& facts);

}  // namespace lockstep::topology
