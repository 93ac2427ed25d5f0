// SPDX-License-Identifier: Apache-2.0
#include "models/topology/shapes.h"

#include <cmath>
#include <cstdio>
#include <functional>
#include <numeric>
#include <span>

namespace lockstep::topology {

const std::vector<ShapeFacts>& shapes() {
  static const std::vector<ShapeFacts> all{
      {Shape::OneHost, "one-host", "one machine, no network", {}, {}},
      {Shape::Star, "star", "hosts on one switch", {{"hosts", 1, 0, "how many"}}, {}},
      {Shape::Rails,
       "rails",
       "hosts with several cables, each to a switch of its own",
       {{"hosts", 1, 0, "how many"}, {"rails", 1, 0, "cables of each host, and switches"}},
       {}},
      {Shape::Ring, "ring", "hosts in a circle", {{"hosts", 1, 0, "how many"}}, {}},
      {Shape::Line, "line", "hosts in a row", {{"hosts", 1, 0, "how many"}}, {}},
      {Shape::FullMesh,
       "full-mesh",
       "a cable between every two hosts",
       {{"hosts", 1, 0, "how many"}},
       {}},
      {Shape::Torus2d,
       "torus-2d",
       "a grid of hosts, closed in both directions",
       {{"x", 1, 0, "hosts in a row"}, {"y", 1, 0, "rows"}},
       {}},
      {Shape::Torus3d,
       "torus-3d",
       "a grid of hosts, closed in three directions",
       {{"x", 1, 0, "hosts in a row"}, {"y", 1, 0, "rows"}, {"z", 1, 0, "layers"}},
       {}},
      {Shape::Hypercube,
       "hypercube",
       "hosts whose numbers differ in one bit are connected",
       {{"dimensions", 1, 0, "bits of a host's number"}},
       {}},
      {Shape::LeafSpine,
       "leaf-spine",
       "hosts on leaf switches, each of which is connected with every spine switch",
       {{"leaves", 1, 0, "leaf switches"},
        {"spines", 1, 0, "spine switches"},
        {"hosts_per_leaf", 1, 0, "hosts on each leaf"}},
       {{"uplinks", "the cables from leaves to spines"}}},
      {Shape::FatTree,
       "fat-tree",
       "the k-ary fat tree: k pods of k/2 edge and k/2 aggregation switches, k*k/4 core switches",
       {{"k", 2, 0, "ports of a switch, even"},
        {"oversubscription", 1, 1, "hosts on an edge switch for each of its uplinks"}},
       {{"uplinks", "the cables between switches"}}},
      {Shape::Dragonfly,
       "dragonfly",
       "fully connected groups of fully connected routers, as many groups as the cables reach",
       {{"hosts_per_router", 1, 0, "p"},
        {"routers", 1, 0, "a: of a group"},
        {"global_links", 1, 0, "h: cables of a router to other groups"}},
       {{"local", "the cables within a group"}, {"global", "the cables between groups"}}},
      {Shape::TwoTier,
       "two-tier",
       "racks of hosts on a backbone, or sites of such racks",
       {{"racks", 1, 0, "of each site"},
        {"hosts_per_rack", 1, 0, "hosts on each rack's switch"},
        {"sites", 1, 1, "if several: a switch for each, between its racks and the backbone"}},
       {{"uplinks", "the cables from racks to their site, if there are several sites"},
        {"backbone", "the cables to the backbone's switch"}}},
  };
  return all;
}

const ShapeFacts& shape_facts(Shape shape) {
  return shapes()[static_cast<std::size_t>(shape)];
}

std::vector<std::int32_t> grid_sizes(const Rule& rule) {
  switch (rule.shape) {
    case Shape::Ring:
    case Shape::Line:
    case Shape::Torus2d:
    case Shape::Torus3d:
      return rule.sizes;
    case Shape::Hypercube:
      return std::vector<std::int32_t>(static_cast<std::size_t>(rule.sizes[0]), 2);
    case Shape::OneHost:
    case Shape::Star:
    case Shape::Rails:
    case Shape::FullMesh:
    case Shape::LeafSpine:
    case Shape::FatTree:
    case Shape::Dragonfly:
    case Shape::TwoTier:
      break;
  }
  return {};
}

Dragonfly::Dragonfly(const Rule& rule)
    : hosts_per_router(rule.sizes[0]),
      routers(rule.sizes[1]),
      global_links(rule.sizes[2]),
      groups(rule.sizes[1] * rule.sizes[2] + 1) {}

namespace {

double product(std::span<const std::int32_t> sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), 1.0, std::multiplies<>());
}

double pairs(double count) {
  return count * (count - 1) / 2;
}

/// In a dimension of n hosts there are n cables, the last one closes the circle; two hosts have
/// one.
Counts grid_counts(const Rule& rule) {
  const std::vector<std::int32_t> sizes = grid_sizes(rule);
  Counts counts{product(sizes), 0, 0};
  for (const std::int32_t size : sizes) {
    const bool closed = size > 2 && rule.shape != Shape::Line;
    counts.cables += counts.hosts / size * (closed ? size : size - 1);
  }
  return counts;
}

}  // namespace

Counts counts(const Rule& rule) {
  const auto size = [&](std::size_t i) { return static_cast<double>(rule.sizes[i]); };
  switch (rule.shape) {
    case Shape::OneHost:
      return {1, 0, 0};
    case Shape::Star:
      return {size(0), 1, size(0)};
    case Shape::Rails:
      return {size(0), size(1), size(0) * size(1)};
    case Shape::FullMesh:
      return {size(0), 0, pairs(size(0))};
    case Shape::Ring:
    case Shape::Line:
    case Shape::Torus2d:
    case Shape::Torus3d:
      return grid_counts(rule);
    case Shape::Hypercube: {
      const double hosts = std::exp2(size(0));
      return {hosts, 0, hosts / 2 * size(0)};
    }
    case Shape::LeafSpine:
      return {size(0) * size(2), size(0) + size(1), size(0) * size(2) + size(0) * size(1)};
    case Shape::FatTree: {
      const double cube = size(0) * size(0) * size(0);
      return {size(1) * cube / 4, 5 * size(0) * size(0) / 4, size(1) * cube / 4 + cube / 2};
    }
    case Shape::Dragonfly: {
      const double groups = size(1) * size(2) + 1;
      const double routers = groups * size(1);
      return {routers * size(0), routers,
              routers * size(0) + groups * pairs(size(1)) + pairs(groups)};
    }
    case Shape::TwoTier: {
      const double racks = size(0) * size(2);
      const bool sites = rule.sizes[2] > 1;
      return {racks * size(1), racks + 1 + (sites ? size(2) : 0),
              racks * size(1) + racks + (sites ? size(2) : 0)};
    }
  }
  return {};
}

std::string fault_of(const Rule& rule) {
  if (rule.shape == Shape::FatTree && rule.sizes[0] % 2 != 0)
    return "k must be even, is " + std::to_string(rule.sizes[0]);
  const Counts made = counts(rule);
  const auto limit = [](const char* what, double count, std::int32_t most) {
    char text[160];
    std::snprintf(text, sizeof text, "makes %.4g %s; at most %d are possible", count, what, most);
    return std::string(text);
  };
  // Written so that what is no number, from numbers too large, is refused too.
  if (!(made.hosts + made.switches <= kMaxNodes))
    return limit("hosts and switches", made.hosts + made.switches, kMaxNodes);
  if (!(2 * made.cables <= kMaxLinks))
    return limit("links (two for each cable)", 2 * made.cables, kMaxLinks);
  return "";
}

}  // namespace lockstep::topology
