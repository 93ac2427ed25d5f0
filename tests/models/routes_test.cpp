// SPDX-License-Identifier: Apache-2.0
#include "models/topology/routes.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>

#include "models/base/random.h"
#include "models/topology/generators.h"
#include "tests/models/sample_topologies.h"

namespace lockstep::topology {
namespace {

/// Hosts a … d; between a and d two ways of three links: over s1 and t1, or over s2 and t2 or t3.
Topology branched() {
  return parse_topology(R"({"name": "branched", "hosts": ["a", "d"],
    "switches": ["s1", "s2", "t1", "t2", "t3"],
    "link_defaults": {"bandwidth": "1 GB/s", "latency": "1 us"},
    "links": [{"from": "a", "to": "s1"}, {"from": "a", "to": "s2"},
              {"from": "s1", "to": "t1"}, {"from": "s2", "to": "t2"},
              {"from": "s2", "to": "t3", "latency": "5 us"},
              {"from": "t1", "to": "d"}, {"from": "t2", "to": "d"}, {"from": "t3", "to": "d"}]})",
                        "branched");
}

using Shares = std::map<std::string, double>;

Shares shares_of(const Topology& topology, const Route& route) {
  Shares shares;
  for (const Hop& hop : route.hops)
    shares[topology.link_name(hop.link)] += hop.share;
  return shares;
}

std::vector<Hop> hops_of(const Route& route) {
  return {route.hops.begin(), route.hops.end()};
}

Topology with_routing(Topology topology, Routing routing) {
  topology.routing = routing;
  return topology;
}

}  // namespace

TEST_CASE("routes: shortest, then first in the file", "[topology][routes]") {
  // A square a-b-c-d without switches: a to c is two links either way; a-b and b-c come first.
  const Topology square = parse_topology(
      R"({"name": "square", "hosts": ["a", "b", "c", "d"],
          "link_defaults": {"bandwidth": "1 Gbit/s", "latency": "1 us"},
          "links": [{"from": "a", "to": "b"}, {"from": "a", "to": "d"}, {"from": "b", "to": "c"},
                    {"from": "d", "to": "c"}]})",
      "t.json");
  Routes routes(square);
  const auto names = [&](HostId from, HostId to) {
    std::string text;
    for (const Hop& hop : routes.between({.from = from, .to = to}).hops)
      text += square.link_name(hop.link) + " ";
    return text;
  };
  CHECK(names(0, 2) == "a->b b->c ");
  CHECK(names(0, 3) == "a->d ");
  CHECK(names(1, 1).empty());
  CHECK(routes.between({.from = 0, .to = 2}).latency.picoseconds == 2'000'000);
}

TEST_CASE("routes: a split flow is divided evenly at every node", "[topology][routes]") {
  const Topology topology = with_routing(branched(), Routing::Split);
  Routes routes(topology);
  // Half goes to s1 and on to t1; of the other half, s2 gives a half each to t2 and t3.
  const Route route = routes.between({.from = 0, .to = 1});
  CHECK(shares_of(topology, route) == Shares{{"a->s1", 0.5},
                                             {"s1->t1", 0.5},
                                             {"t1->d", 0.5},
                                             {"a->s2", 0.5},
                                             {"s2->t2", 0.25},
                                             {"t2->d", 0.25},
                                             {"s2->t3", 0.25},
                                             {"t3->d", 0.25}});
  CHECK(route.latency.picoseconds == 7'000'000);  // of its slowest part: 1 + 5 + 1 us
  // On the way back all three begin at d.
  const Shares back = shares_of(topology, routes.between({.from = 1, .to = 0}));
  CHECK(back.at("d->t1") == 1.0 / 3);
  CHECK(back.at("t3->s2") == 1.0 / 3);
  CHECK(back.at("s2->a") == 1.0 / 3 + 1.0 / 3);
  CHECK(routes.between({.from = 1, .to = 1}).hops.empty());
}

TEST_CASE("routes: a hashed flow takes one way, and many flows take all ways alike",
          "[topology][routes]") {
  const Topology topology = with_routing(branched(), Routing::Hash);
  Routes routes(topology, 7);
  Routes again(topology, 7);
  Routes other_seed(topology, 8);
  std::map<std::string, int> used;
  int moved = 0;
  constexpr int kFlows = 4000;
  for (int i = 0; i < kFlows; ++i) {
    const Flow flow{0, 1, i / 16, i % 16, static_cast<std::uint8_t>(i % 3)};
    const std::vector<Hop> hops = hops_of(routes.between(flow));
    REQUIRE(hops.size() == 3);
    CHECK(hops_of(again.between(flow)) == hops);
    moved += hops_of(other_seed.between(flow)) != hops;
    for (const Hop& hop : hops) {
      CHECK(hop.share == 1);
      ++used[topology.link_name(hop.link)];
    }
  }
  // As often as the split has it, within five standard deviations of that many throws.
  for (const auto& [link, share] :
       Shares{{"a->s1", 0.5}, {"a->s2", 0.5}, {"s2->t2", 0.25}, {"s2->t3", 0.25}}) {
    CAPTURE(link);
    CHECK(std::abs(used[link] - share * kFlows) < 5 * std::sqrt(share * (1 - share) * kFlows));
  }
  // Two seeds agree where both take s1 (1/4), t2 or t3 (1/16 each): 5/8 of the flows move.
  CHECK(std::abs(moved - 0.625 * kFlows) < 5 * std::sqrt(0.625 * 0.375 * kFlows));
}

TEST_CASE("routes: stream, sender, receiver and seed each change a hash", "[topology][routes]") {
  Rule rule = rule_of(Shape::LeafSpine, {2, 64, 1});
  const Topology topology = with_routing(generate(rule), Routing::Hash);
  const auto spine = [&](Flow flow, std::uint64_t seed) {
    flow.from = 0;
    flow.to = 1;
    Routes routes(topology, seed);
    return routes.between(flow).hops[1].link;
  };
  const LinkId base = spine({0, 1, 3, 4, 0}, 1);
  CHECK(spine({0, 1, 3, 4, 0}, 1) == base);
  CHECK(spine({0, 1, 3, 4, 1}, 1) != base);
  CHECK(spine({0, 1, 3, 5, 0}, 1) != base);
  CHECK(spine({0, 1, 4, 4, 0}, 1) != base);
  CHECK(spine({0, 1, 3, 4, 0}, 2) != base);
}

TEST_CASE("routes: given ones go before the others", "[topology][routes]") {
  Topology topology = branched();
  const auto link = [&](const std::string& name) {
    for (LinkId id = 0; id < std::ssize(topology.links); ++id)
      if (topology.link_name(id) == name) return id;
    return -1;
  };
  topology.routes.push_back({0, 1, {link("a->s2"), link("s2->t3"), link("t3->d")}});
  for (const Routing routing : {Routing::First, Routing::Hash, Routing::Split}) {
    topology.routing = routing;
    Routes routes(topology);
    const Route route = routes.between({.from = 0, .to = 1});
    CHECK(shares_of(topology, route) == Shares{{"a->s2", 1}, {"s2->t3", 1}, {"t3->d", 1}});
    CHECK(route.latency.picoseconds == 7'000'000);
    CHECK(!shares_of(topology, routes.between({.from = 1, .to = 0})).contains("t3->s2") ==
          (routing == Routing::First));
  }
}

TEST_CASE("routes: by arithmetic or by search, they are the same", "[topology][routes]") {
  constexpr std::uint64_t kSeed = 20240607;
  CAPTURE(kSeed);
  std::size_t pairs = 0;
  for (const Rule& rule : small_rules(40)) {
    CAPTURE(name_of(rule));
    Topology known = generate(rule);
    Topology searched = known;
    searched.rule.reset();
    for (const Routing routing : {Routing::First, Routing::Hash, Routing::Split}) {
      known.routing = searched.routing = routing;
      Routes fast(known, kSeed);
      Routes slow(searched, kSeed);
      Random random(kSeed);
      const auto hosts = static_cast<HostId>(known.hosts.size());
      for (HostId from = 0; from < hosts; ++from)
        for (HostId to = 0; to < hosts; ++to) {
          const Flow flow{from, to, from, to, static_cast<std::uint8_t>(random.below(3))};
          const Route route = fast.between(flow);
          const Route other = slow.between(flow);
          REQUIRE(hops_of(route) == hops_of(other));
          REQUIRE(route.latency == other.latency);
          ++pairs;
        }
    }
  }
  CHECK(pairs > 300'000);
}

TEST_CASE("routes: by arithmetic or by search, also in larger fabrics", "[topology][routes]") {
  constexpr std::uint64_t kSeed = 31;
  CAPTURE(kSeed);
  Random random(kSeed);
  for (const Rule& rule :
       {rule_of(Shape::FatTree, {16, 1}), rule_of(Shape::FatTree, {8, 3}),
        rule_of(Shape::Torus3d, {9, 10, 11}), rule_of(Shape::Torus2d, {2, 50}),
        rule_of(Shape::Hypercube, {10}), rule_of(Shape::Dragonfly, {2, 8, 4}),
        rule_of(Shape::LeafSpine, {20, 7, 12}), rule_of(Shape::Rails, {300, 4})}) {
    CAPTURE(name_of(rule));
    Topology known = generate(rule);
    Topology searched = known;
    searched.rule.reset();
    for (const Routing routing : {Routing::First, Routing::Hash, Routing::Split}) {
      Routes fast(known, routing, kSeed);
      Routes slow(searched, routing, kSeed);
      for (int i = 0; i < 200; ++i) {
        const auto from = static_cast<HostId>(random.below(known.hosts.size()));
        const auto to = static_cast<HostId>(random.below(known.hosts.size()));
        const Flow flow{from, to, from, to, 0};
        REQUIRE(hops_of(fast.between(flow)) == hops_of(slow.between(flow)));
      }
    }
  }
}

TEST_CASE("routes: what leaves a host arrives, and every node passes on what it gets",
          "[topology][routes]") {
  for (const Rule& rule : small_rules(20)) {
    CAPTURE(name_of(rule));
    const Topology topology = with_routing(generate(rule), Routing::Split);
    Routes routes(topology);
    for (HostId to = 1; to < std::ssize(topology.hosts); ++to) {
      std::map<std::int32_t, double> balance;
      for (const Hop& hop : routes.between({.from = 0, .to = to}).hops) {
        const Link& link = topology.links[static_cast<std::size_t>(hop.link)];
        balance[link.from] -= hop.share;
        balance[link.to] += hop.share;
      }
      for (const auto& [node, sum] : balance)
        CHECK(sum == Approx(node == 0 ? -1 : node == to ? 1 : 0).margin(1e-12));
    }
  }
}

}  // namespace lockstep::topology
