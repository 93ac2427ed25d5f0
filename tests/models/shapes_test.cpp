// SPDX-License-Identifier: Apache-2.0
// Counts, degrees, diameters and distances of the generated topologies against what is said of
// them, by looking at their links.
#include "models/topology/shapes.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "models/base/errors.h"
#include "models/topology/generators.h"
#include "models/topology/routes.h"
#include "tests/models/sample_topologies.h"

namespace lockstep::topology {
namespace {

/// How many cables the hosts, and the switches in their order, have: least and most.
using Degrees = std::pair<std::size_t, std::size_t>;

std::vector<std::size_t> degrees(const Topology& topology) {
  const Adjacency adjacency(topology);
  std::vector<std::size_t> all;
  for (std::int32_t node = 0; node < topology.nodes(); ++node) {
    REQUIRE(adjacency.out(node).size() == adjacency.in(node).size());
    all.push_back(adjacency.out(node).size());
  }
  return all;
}

Degrees range(const std::vector<std::size_t>& degrees, std::size_t first, std::size_t count) {
  const auto begin = degrees.begin() + static_cast<std::ptrdiff_t>(first);
  const auto [least, most] = std::minmax_element(begin, begin + static_cast<std::ptrdiff_t>(count));
  return {*least, *most};
}

}  // namespace

TEST_CASE("shapes: counts are those of what is generated, and names and links are unlike",
          "[topology][shapes]") {
  const std::vector<Rule> rules = small_rules(300);
  CHECK(rules.size() > 1000);
  for (const Rule& rule : rules) {
    CAPTURE(name_of(rule));
    const Topology topology = generate(rule);
    const Counts made = counts(rule);
    REQUIRE(static_cast<double>(topology.hosts.size()) == made.hosts);
    REQUIRE(static_cast<double>(topology.switches.size()) == made.switches);
    REQUIRE(static_cast<double>(topology.links.size()) == 2 * made.cables);
    std::set<std::string> names(topology.switches.begin(), topology.switches.end());
    for (const Host& host : topology.hosts)
      names.insert(host.name);
    REQUIRE(names.size() == static_cast<std::size_t>(topology.nodes()));
    std::set<std::pair<std::int32_t, std::int32_t>> ends;
    for (const Link& link : topology.links)
      ends.insert({link.from, link.to});
    REQUIRE(ends.size() == topology.links.size());
  }
}

TEST_CASE("shapes: the formulas of the literature, at sizes worked out by hand",
          "[topology][shapes]") {
  const auto check = [](Shape shape, std::vector<std::int32_t> sizes, std::array<double, 3> made,
                        std::int32_t longest, std::optional<double> halves) {
    const Rule rule = rule_of(shape, std::move(sizes));
    CAPTURE(name_of(rule));
    const Counts count = counts(rule);
    CHECK(std::array{count.hosts, count.switches, count.cables} == made);
    CHECK(diameter(rule) == longest);
    CHECK(bisection(rule) == (halves ? std::optional(*halves * 1e9) : std::nullopt));
  };
  check(Shape::OneHost, {}, {1, 0, 0}, 0, std::nullopt);
  check(Shape::Star, {8}, {8, 1, 8}, 2, 4);        // all cables of one half
  check(Shape::Rails, {8, 4}, {8, 4, 32}, 2, 16);  // 4 hosts · 4 rails
  check(Shape::Ring, {7}, {7, 0, 7}, 3, 2);        // ⌊7/2⌋; a ring is cut twice
  check(Shape::Line, {7}, {7, 0, 6}, 6, 1);
  check(Shape::FullMesh, {7}, {7, 0, 21}, 1, 12);               // 7·6/2; 3 · 4
  check(Shape::Torus2d, {4, 6}, {24, 0, 48}, 5, 8);             // 2 + 3; 2 · 24/6
  check(Shape::Torus3d, {4, 4, 4}, {64, 0, 192}, 6, 32);        // 3 · 2; 2 · 64/4
  check(Shape::Torus2d, {3, 5}, {15, 0, 30}, 3, std::nullopt);  // odd: no halves
  check(Shape::Hypercube, {5}, {32, 0, 80}, 5, 16);             // 2⁵; 5 · 2⁴; 2⁴
  check(Shape::LeafSpine, {4, 2, 6}, {24, 6, 32}, 4, 4);        // 24 + 4·2; 2 leaves · 2 spines
  check(Shape::FatTree, {4, 1}, {16, 20, 48}, 6, 8);            // k³/4, 5k²/4, 3k³/4; k³/8
  check(Shape::FatTree, {4, 3}, {48, 20, 80}, 6, 8);  // 3 · 16 hosts on the same switches
  check(Shape::FatTree, {64, 1}, {65'536, 5120, 196'608}, 6, 32'768);
  // a = 4, h = 2, p = 2: 9 groups of 4 routers; 72 + 9 · 6 + 36 cables.
  check(Shape::Dragonfly, {2, 4, 2}, {72, 36, 162}, 5, std::nullopt);
  // a = 3, h = 1: 4 groups, 2 · 2 cables between their halves.
  check(Shape::Dragonfly, {1, 3, 1}, {12, 12, 30}, 5, 4);
  check(Shape::TwoTier, {4, 8, 1}, {32, 5, 36}, 4, 2);   // 2 racks' cables
  check(Shape::TwoTier, {4, 8, 2}, {64, 11, 74}, 6, 1);  // 64 + 8 + 2; a site's cable
}

TEST_CASE("shapes: every kind of node has the cables that it should", "[topology][shapes]") {
  // Hosts, then groups of switches: how many, and how many cables each has.
  struct Expected {
    Rule rule;
    Degrees hosts;
    std::vector<std::pair<std::size_t, std::size_t>> switches;
  };
  const std::vector<Expected> all{
      {rule_of(Shape::Star, {9}), {1, 1}, {{1, 9}}},
      {rule_of(Shape::Rails, {5, 3}), {3, 3}, {{3, 5}}},
      {rule_of(Shape::Ring, {6}), {2, 2}, {}},
      {rule_of(Shape::Ring, {2}), {1, 1}, {}},
      {rule_of(Shape::Line, {6}), {1, 2}, {}},
      {rule_of(Shape::FullMesh, {6}), {5, 5}, {}},
      {rule_of(Shape::Torus2d, {3, 4}), {4, 4}, {}},
      {rule_of(Shape::Torus2d, {2, 4}), {3, 3}, {}},
      {rule_of(Shape::Torus3d, {3, 4, 5}), {6, 6}, {}},
      {rule_of(Shape::Hypercube, {4}), {4, 4}, {}},
      {rule_of(Shape::LeafSpine, {4, 3, 5}), {1, 1}, {{4, 8}, {3, 4}}},
      {rule_of(Shape::FatTree, {6, 1}), {1, 1}, {{18, 6}, {18, 6}, {9, 6}}},
      {rule_of(Shape::FatTree, {6, 2}), {1, 1}, {{18, 9}, {18, 6}, {9, 6}}},
      {rule_of(Shape::Dragonfly, {2, 4, 2}), {1, 1}, {{36, 2 + 3 + 2}}},
      {rule_of(Shape::TwoTier, {4, 8, 1}), {1, 1}, {{4, 9}, {1, 4}}},
      {rule_of(Shape::TwoTier, {4, 8, 2}), {1, 1}, {{8, 9}, {2, 5}, {1, 2}}},
  };
  for (const Expected& expected : all) {
    CAPTURE(name_of(expected.rule));
    const Topology topology = generate(expected.rule);
    const std::vector<std::size_t> found = degrees(topology);
    CHECK(range(found, 0, topology.hosts.size()) == expected.hosts);
    std::size_t first = topology.hosts.size();
    for (const auto& [count, cables] : expected.switches) {
      CHECK(range(found, first, count) == Degrees(cables, cables));
      first += count;
    }
    CHECK(first == found.size());
  }
}

TEST_CASE("shapes: distances and diameters are those that a search finds", "[topology][shapes]") {
  for (const Rule& rule : small_rules(70)) {
    CAPTURE(name_of(rule));
    const Topology topology = generate(rule);
    const Adjacency adjacency(topology);
    Distances search(topology, adjacency);
    std::int32_t longest = 0;
    for (HostId host = 0; host < std::ssize(topology.hosts); ++host)
      for (std::int32_t node = 0; node < topology.nodes(); ++node) {
        const std::int32_t found = search.between(node, host);
        if (const auto known = distance(rule, node, host)) REQUIRE(*known == found);
        if (topology.is_host(node)) longest = std::max(longest, found);
      }
    CHECK(diameter(rule) == longest);
  }
}

TEST_CASE("shapes: a dragonfly's groups are all connected, once", "[topology][shapes]") {
  const Rule rule = rule_of(Shape::Dragonfly, {1, 4, 3});
  const Dragonfly fly(rule);
  REQUIRE(fly.groups == 13);
  std::vector<int> cables(static_cast<std::size_t>(fly.groups * fly.routers));
  for (std::int32_t a = 0; a < fly.groups; ++a)
    for (std::int32_t b = 0; b < fly.groups; ++b)
      if (a != b) {
        CHECK(fly.gateway(a, b) / fly.routers == a);
        ++cables[static_cast<std::size_t>(fly.gateway(a, b))];
      }
  for (const int count : cables)
    CHECK(count == 3);
}

TEST_CASE("shapes: what is too large or does not fit is said before anything is made",
          "[topology][shapes]") {
  CHECK(fault_of(rule_of(Shape::FatTree, {3, 1})) == "k must be even, is 3");
  CHECK(fault_of(rule_of(Shape::Star, {1 << 20})).empty());
  CHECK_THAT(fault_of(rule_of(Shape::Star, {1 << 21})),
             Catch::StartsWith("makes 2.097e+06 hosts and switches; at most 2097152"));
  CHECK_THAT(fault_of(rule_of(Shape::FullMesh, {100'000})), Catch::StartsWith("makes 1e+10 links"));
  CHECK_THAT(fault_of(rule_of(Shape::Torus3d, {1 << 21, 1 << 21, 1 << 21})),
             Catch::StartsWith("makes 9.223e+18 hosts"));
  CHECK_THAT(fault_of(rule_of(Shape::Hypercube, {1 << 21})), Catch::StartsWith("makes inf hosts"));
}

TEST_CASE("shapes: bisection is left open where directions differ", "[topology][shapes]") {
  Rule rule = rule_of(Shape::Star, {8});
  rule.cables[0].back.bytes_per_second = 1e6;
  CHECK(!bisection(rule));
}

}  // namespace lockstep::topology
