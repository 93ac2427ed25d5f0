// SPDX-License-Identifier: Apache-2.0
// Where the nodes of a topology are on a drawing. How it looks is drawing.h's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/topology/topology.h"

namespace lockstep::topology {

/// In pixels, x to the right, y down.
struct Point {
  double x = 0;
  double y = 0;
};

/// Nodes and what connects them. Where hosts are many, those that hang on one switch with cables of
/// the same rate are one node.
struct Picture {
  struct Node {
    std::string label;
    bool is_host = false;
    std::int32_t hosts = 1;  // that it stands for
    Point at{};
    Point label_side{};  // the direction from the node to its label, of length 1
  };
  struct Line {
    std::size_t from = 0;  // nodes
    std::size_t to = 0;
    std::vector<LinkId> there{};
    std::vector<LinkId> back{};
  };
  std::vector<Node> nodes;
  std::vector<Line> lines;
};

/// More nodes than this cannot be told apart.
inline constexpr std::size_t kMostDrawnNodes = 1000;
/// How many nodes the picture would have.
std::size_t drawn_nodes(const Topology& topology);

/// Nodes, lines and places: rings and meshes as circles, lines as rows, tori as grids, hypercubes
/// as projections, all with switches in layers over the hosts; where switches of one layer are
/// connected with each other, and for all else, as circles.
Picture make_picture(const Topology& topology);

}  // namespace lockstep::topology
