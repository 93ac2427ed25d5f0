// SPDX-License-Identifier: Apache-2.0
// Distances, diameters and bisections of the regular topologies.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>

#include "models/topology/shapes.h"

namespace lockstep::topology {

namespace {

std::int32_t grid_distance(const Rule& rule, std::int32_t a, std::int32_t b) {
  if (rule.shape == Shape::Hypercube)
    return std::popcount(static_cast<std::uint32_t>(a) ^ static_cast<std::uint32_t>(b));
  std::int32_t distance = 0;
  for (const std::int32_t size : rule.sizes) {
    const std::int32_t apart = std::abs(a % size - b % size);
    distance += rule.shape == Shape::Line ? apart : std::min(apart, size - apart);
    a /= size;
    b /= size;
  }
  return distance;
}

std::int32_t leaf_spine_distance(const Rule& rule, std::int32_t node, HostId host) {
  const std::int32_t leaves = rule.sizes[0];
  const std::int32_t per_leaf = rule.sizes[2];
  const std::int32_t hosts = leaves * per_leaf;
  if (node == host) return 0;
  if (node < hosts) return node / per_leaf == host / per_leaf ? 2 : 4;
  if (node < hosts + leaves) return node - hosts == host / per_leaf ? 1 : 3;
  return 2;
}

std::int32_t fat_tree_distance(const Rule& rule, std::int32_t node, HostId host) {
  const std::int32_t half = rule.sizes[0] / 2;  // edge switches of a pod, aggregation switches too
  const std::int32_t per_edge = half * rule.sizes[1];
  const std::int32_t edges = 2 * half * half;
  const std::int32_t hosts = edges * per_edge;
  const std::int32_t edge = host / per_edge;
  if (node == host) return 0;
  if (node < hosts) {
    if (node / per_edge == edge) return 2;
    return node / per_edge / half == edge / half ? 4 : 6;
  }
  node -= hosts;
  if (node < edges) {
    if (node == edge) return 1;
    return node / half == edge / half ? 3 : 5;
  }
  node -= edges;
  if (node < edges) return node / half == edge / half ? 2 : 4;
  return 3;
}

/// Between routers of different groups the way over their own groups' cable has at most three
/// links; a way over a third group is shorter when both its cables are right at hand.
std::int32_t router_distance(const Dragonfly& fly, std::int32_t a, std::int32_t b) {
  const std::int32_t group = a / fly.routers;
  const std::int32_t target = b / fly.routers;
  if (group == target) return a == b ? 0 : 1;
  const std::int32_t at_hand =
      (a == fly.gateway(group, target) ? 1 : 0) + (b == fly.gateway(target, group) ? 1 : 0);
  if (at_hand > 0) return 3 - at_hand;
  for (std::int32_t cable = 0; cable < fly.global_links; ++cable) {
    const std::int32_t other = a % fly.routers * fly.global_links + cable;
    const std::int32_t third = other < group ? other : other + 1;
    if (fly.gateway(third, group) == fly.gateway(third, target) && fly.gateway(target, third) == b)
      return 2;
  }
  return 3;
}

std::int32_t dragonfly_distance(const Rule& rule, std::int32_t node, HostId host) {
  const Dragonfly fly(rule);
  const std::int32_t hosts = fly.groups * fly.routers * fly.hosts_per_router;
  if (node == host) return 0;
  const std::int32_t router = node < hosts ? node / fly.hosts_per_router : node - hosts;
  return (node < hosts ? 1 : 0) + router_distance(fly, router, host / fly.hosts_per_router) + 1;
}

}  // namespace

std::optional<std::int32_t> distance(const Rule& rule, std::int32_t node, HostId host) {
  switch (rule.shape) {
    case Shape::OneHost:
      return 0;
    case Shape::Star:
    case Shape::Rails:
      return node == host ? 0 : node < rule.sizes[0] ? 2 : 1;
    case Shape::FullMesh:
      return node == host ? 0 : 1;
    case Shape::Ring:
    case Shape::Line:
    case Shape::Torus2d:
    case Shape::Torus3d:
    case Shape::Hypercube:
      return grid_distance(rule, node, host);
    case Shape::LeafSpine:
      return leaf_spine_distance(rule, node, host);
    case Shape::FatTree:
      return fat_tree_distance(rule, node, host);
    case Shape::Dragonfly:
      return dragonfly_distance(rule, node, host);
    case Shape::TwoTier:  // has few switches: a search costs little
      break;
  }
  return std::nullopt;
}

std::optional<std::int32_t> diameter(const Rule& rule) {
  if (counts(rule).hosts < 2) return 0;
  const std::vector<std::int32_t>& sizes = rule.sizes;
  switch (rule.shape) {
    case Shape::OneHost:
      return 0;
    case Shape::Star:
    case Shape::Rails:
      return 2;
    case Shape::FullMesh:
      return 1;
    case Shape::Line:
      return sizes[0] - 1;
    case Shape::Hypercube:
      return sizes[0];
    case Shape::Ring:
    case Shape::Torus2d:
    case Shape::Torus3d: {
      std::int32_t sum = 0;
      for (const std::int32_t size : sizes)
        sum += size / 2;
      return sum;
    }
    case Shape::LeafSpine:
      return sizes[0] > 1 ? 4 : 2;
    case Shape::FatTree:
      return 6;
    case Shape::Dragonfly:  // a group of one router has no local cables
      return sizes[1] > 1 ? 5 : 3;
    case Shape::TwoTier:
      return sizes[2] > 1 ? 6 : sizes[0] > 1 ? 4 : 2;
  }
  return std::nullopt;
}

namespace {

/// Cutting across a dimension of even size cuts every line along it once, or twice where it is
/// closed. That is least in the largest dimension; one of odd size cannot be cut in halves.
std::optional<double> grid_bisection(const Rule& rule) {
  const std::vector<std::int32_t> sizes = grid_sizes(rule);
  const double hosts = counts(rule).hosts;
  std::int32_t best_size = 1;
  double best = hosts * static_cast<double>(sizes.size());  // more than there are cables
  for (const std::int32_t size : sizes) {
    if (size == 1) continue;
    const double cut = hosts / size * (size > 2 && rule.shape != Shape::Line ? 2 : 1);
    if (cut < best || (cut == best && size % 2 == 0)) {
      best = cut;
      best_size = size;
    }
  }
  // A single line or circle may be cut anywhere.
  const bool single = std::count_if(sizes.begin(), sizes.end(), [](auto n) { return n > 1; }) == 1;
  if (best_size % 2 != 0 && !single) return std::nullopt;
  return best * rule.cables[0].there.bytes_per_second;
}

}  // namespace

std::optional<double> bisection(const Rule& rule) {
  const double hosts = counts(rule).hosts;
  if (hosts < 2) return std::nullopt;
  for (const Cable& cable : rule.cables)
    if (cable.there.bytes_per_second != cable.back.bytes_per_second) return std::nullopt;
  const auto rate = [&](std::size_t tier) { return rule.cables[tier].there.bytes_per_second; };
  const auto size = [&](std::size_t i) { return static_cast<double>(rule.sizes[i]); };
  const auto is_odd = [&](std::size_t i) { return rule.sizes[i] % 2 != 0; };
  const double at_hosts = std::floor(hosts / 2) * rate(0);  // all cables of one half
  switch (rule.shape) {
    case Shape::OneHost:
      break;
    case Shape::Star:
      return at_hosts;
    case Shape::Rails:
      return at_hosts * size(1);
    case Shape::FullMesh:
      return std::floor(hosts / 2) * std::ceil(hosts / 2) * rate(0);
    case Shape::Ring:
    case Shape::Line:
    case Shape::Torus2d:
    case Shape::Torus3d:
    case Shape::Hypercube:
      return grid_bisection(rule);
    case Shape::LeafSpine:
      if (rule.sizes[0] == 1) return at_hosts;
      if (is_odd(0)) break;
      return std::min(at_hosts, size(0) / 2 * size(1) * rate(1));
    case Shape::FatTree:
      return std::min(at_hosts, size(0) * size(0) * size(0) / 8 * rate(1));
    case Shape::Dragonfly:
      if ((rule.sizes[1] * rule.sizes[2] + 1) % 2 != 0) break;
      return std::min(at_hosts, std::pow(size(1) * size(2) + 1, 2) / 4 * rate(2));
    case Shape::TwoTier:
      if (rule.sizes[0] * rule.sizes[2] == 1) return at_hosts;
      if (rule.sizes[2] == 1)
        return is_odd(0) ? std::nullopt : std::optional(std::min(at_hosts, size(0) / 2 * rate(2)));
      if (is_odd(2)) break;
      return std::min({at_hosts, size(2) / 2 * rate(2), size(2) / 2 * size(0) * rate(1)});
  }
  return std::nullopt;
}

}  // namespace lockstep::topology
