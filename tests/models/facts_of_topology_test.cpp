// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "models/base/random.h"
#include "models/topology/facts.h"
#include "models/topology/generators.h"
#include "tests/models/sample_topologies.h"

namespace lockstep::topology {
namespace {

/// The least capacity of any set of links whose removal parts the senders from the others: every
/// switch is on one side or the other. Brute force.
double least_cut(const Topology& topology, const std::vector<bool>& sends) {
  double least = 1e300;
  for (std::uint32_t sides = 0; sides < 1u << topology.switches.size(); ++sides) {
    const auto is_sender_side = [&](std::int32_t node) {
      const auto index = static_cast<std::size_t>(node);
      return topology.is_host(node) ? sends[index]
                                    : (sides >> (index - topology.hosts.size()) & 1) != 0;
    };
    double cut = 0;
    for (const Link& link : topology.links)
      if (is_sender_side(link.from) && !is_sender_side(link.to)) cut += link.bytes_per_second;
    least = std::min(least, cut);
  }
  return least;
}

}  // namespace

TEST_CASE("bisection: the flow between two sets of hosts is the least cut between them",
          "[topology][bisection]") {
  constexpr std::uint64_t kSeed = 99;
  CAPTURE(kSeed);
  Random random(kSeed);
  for (int trial = 0; trial < 300; ++trial) {
    CAPTURE(trial);
    Topology topology;
    topology.hosts.resize(2 + random.below(5));
    topology.switches.resize(random.below(5));
    for (std::int32_t from = 0; from < topology.nodes(); ++from)
      for (std::int32_t to = 0; to < topology.nodes(); ++to) {
        if (from == to || random.below(3) > 0) continue;
        Wire wire;
        wire.bytes_per_second = static_cast<double>(1 + random.below(9));
        topology.links.push_back({wire, from, to});
      }
    std::vector<bool> sends(topology.hosts.size());
    for (std::size_t host = 0; host < sends.size(); ++host)
      sends[host] = random.below(2) == 0;
    CHECK(flow_across(topology, sends) == Approx(least_cut(topology, sends)).margin(1e-12));
  }
}

TEST_CASE("bisection: formulas are what trying all halves finds", "[topology][bisection]") {
  std::size_t checked = 0;
  std::vector<Rule> rules = small_rules(8);
  rules.push_back(rule_of(Shape::FatTree, {4, 1}));
  rules.push_back(rule_of(Shape::Dragonfly, {1, 3, 1}));
  rules.push_back(rule_of(Shape::Hypercube, {4}));
  rules.push_back(rule_of(Shape::Torus2d, {4, 4}));
  for (Rule& rule : rules) {
    // Cables between switches as fast as those of hosts, slower, and faster.
    for (const double factor : {1.0, 0.3, 5.0}) {
      if (factor != 1 && rule.cables.size() < 2) continue;
      for (std::size_t tier = 1; tier < rule.cables.size(); ++tier)
        rule.cables[tier].there.bytes_per_second = rule.cables[tier].back.bytes_per_second =
            factor * 1e9;
      const auto formula = bisection(rule);
      if (!formula) continue;
      CAPTURE(name_of(rule), factor);
      const auto found = search_bisection(generate(rule));
      REQUIRE(found);
      CHECK(found->is_exact);
      CHECK(*formula == Approx(found->bytes_per_second));
      ++checked;
    }
  }
  CHECK(checked > 150);
}

TEST_CASE("bisection: of many hosts, some halves are tried", "[topology][bisection]") {
  // Two racks of 20 hosts; the halves in the order of the file are the racks.
  const auto racks = search_bisection(generate(rule_of(Shape::TwoTier, {2, 20, 1})));
  REQUIRE(racks);
  CHECK(!racks->is_exact);
  CHECK(racks->bytes_per_second == 1e9);
  CHECK(!search_bisection(generate(rule_of(Shape::OneHost, {}))));
  CHECK(!search_bisection(generate(rule_of(Shape::Star, {3000}))));
}

TEST_CASE("facts: of a listed topology, by looking", "[topology][facts]") {
  const Topology topology = parse_topology(R"({"name": "t",
    "hosts": ["a", "b", "c"], "switches": ["s", "t", "idle"],
    "link_defaults": {"bandwidth": "1 Gbit/s", "latency": "1 us"},
    "links": [{"from": "a", "to": "s"}, {"from": "b", "to": "s", "bandwidth": "100 Mbit/s"},
              {"from": "c", "to": "t", "reverse": {"bandwidth": "10 Gbit/s"}},
              {"from": "s", "to": "t"}]})",
                                           "t");
  const Facts facts = facts_of(topology);
  CHECK(facts.diameter == 3);
  CHECK(facts.is_exact);
  CHECK(facts.racks == 2);
  CHECK(topology.link_name(facts.slowest) == "b->s");
  CHECK(topology.link_name(facts.fastest) == "t->c");
  REQUIRE(facts.bisection);
  CHECK(facts.bisection->is_exact);
  CHECK(facts.bisection->bytes_per_second == 12.5e6);  // b alone
  CHECK(facts.idle_switches == std::vector<std::string>{"idle"});
  CHECK(!facts.has_equal_paths);
  CHECK(to_table(topology, facts) ==
        "  kind        listed\n"
        "  hosts       3 in 2 racks\n"
        "  switches    3\n"
        "  links       8, one for each direction\n"
        "  slowest     100 Mbit/s, b->s\n"
        "  fastest     10.0 Gbit/s, t->c\n"
        "  diameter    3 links\n"
        "  bisection   100 Mbit/s one way\n"
        "  routing     first\n");
}

TEST_CASE("facts: of a generated topology they are those of the same one listed",
          "[topology][facts]") {
  for (const Rule& rule : small_rules(7)) {
    CAPTURE(name_of(rule));
    Topology topology = generate(rule);
    const Facts known = facts_of(topology);
    topology.rule.reset();
    const Facts searched = facts_of(topology);
    CHECK(known.diameter == searched.diameter);
    CHECK(known.is_exact);
    CHECK(known.racks == searched.racks);
    CHECK(known.has_equal_paths == searched.has_equal_paths);
    CHECK(known.bisection.has_value() == searched.bisection.has_value());
  }
}

}  // namespace lockstep::topology
