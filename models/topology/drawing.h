// SPDX-License-Identifier: Apache-2.0
// A topology as SVG: rates as widths of lines, how much links are used as their colour.
#pragma once

#include <string>
#include <vector>

#include "models/topology/topology.h"

namespace lockstep::topology {

/// `utilisation[link]`: share of its payload rate, 0 … 1, or empty when nothing is known. What each
/// line and node is stands in its tooltip. For at most kMostDrawnNodes (picture.h).
std::string draw(const Topology& topology, const std::vector<double>& utilisation);

}  // namespace lockstep::topology
