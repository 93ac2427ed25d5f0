// SPDX-License-Identifier: Apache-2.0
// A link is lost for good: messages stand still until routes avoid it, then take other paths.
#include <catch2/catch.hpp>

#include "models/base/random.h"
#include "models/collectives/algorithm.h"
#include "models/topology/detour.h"
#include "tests/sim/scenario.h"

namespace lockstep::sim {
namespace {

/// Hosts a and b on leaves that two spines join, links of 1 GB/s, no latency but 100 us from the
/// second spine down; spines' links may be slower.
topology::Topology two_spines(const std::string& routing, const std::string& spine = "1 GB/s") {
  const auto link = [&](const std::string& from, const std::string& to, const char* latency) {
    return R"({"from": ")" + from + R"(", "to": ")" + to + R"(", "bandwidth": ")" + spine +
           R"(", "latency": ")" + latency + R"("})";
  };
  return topology::parse_topology(
      R"({"name": "spines", "hosts": ["a", "b"], "switches": ["la", "lb", "s1", "s2"],
          "routing": ")" +
          routing + R"(", "link_defaults": {"bandwidth": "1 GB/s", "latency": "0 us"},
          "links": [{"from": "a", "to": "la"}, {"from": "b", "to": "lb"}, )" +
          link("la", "s1", "0 us") + ", " + link("lb", "s1", "0 us") + ", " +
          link("la", "s2", "0 us") + ", " + link("lb", "s2", "100 us") + "]}",
      "spines");
}

LinkId link_named(const topology::Topology& topology, const std::string& name) {
  for (LinkId link = 0; link < std::ssize(topology.links); ++link)
    if (topology.link_name(link) == name) return link;
  FAIL("no link " << name);
  return -1;
}

Options losing(LinkId link, std::int64_t at, std::int64_t detection) {
  Options options;
  options.disturbances.outages = {
      {.link = link, .from = Time{at}, .until = Time{at + detection}, .avoided = true}};
  return options;
}

/// 1 MB, 1 ms at 1 GB/s.
Schedule one_message() {
  return listed({{send(1, 250'000)}, {receive(0, 250'000)}});
}

}  // namespace

TEST_CASE("reroute: what is left of a message takes the other spine", "[reroute]") {
  // 0.25 ms of it are through when the link is lost; 2 ms later the other 0.75 go by the second
  // spine, whose way down has 0.1 ms of latency.
  const cost::Machine machine = free_machine();
  const topology::Topology network = two_spines("first");
  Options options = losing(link_named(network, "la->s1"), kMillisecond / 4, 2 * kMillisecond);
  const auto end = [&] {
    return last_end(run(one_message(), cost_model(machine, 2), network, options));
  };
  CHECK(end() == 3'100 * kMicrosecond);
  // All of it when it is lost at once; nothing happens when it is lost afterwards, or unused.
  options = losing(link_named(network, "la->s1"), 0, 0);
  CHECK(end() == 1'100 * kMicrosecond);
  options = losing(link_named(network, "la->s1"), 2 * kMillisecond, 0);
  CHECK(end() == kMillisecond);
  options = losing(link_named(network, "la->s2"), 0, kMillisecond);
  CHECK(end() == kMillisecond);
}

TEST_CASE("reroute: a split flow is left with the other spine", "[reroute]") {
  // Over spines of 0.5 GB/s each it takes 1 ms; the last 0.75 MB have one of them: 1.5 ms.
  const cost::Machine machine = free_machine();
  const topology::Topology network = two_spines("split", "0.5 GB/s");
  const Options options = losing(link_named(network, "s1->lb"), kMillisecond / 4, 2 * kMillisecond);
  const SimulatedRun result = run(one_message(), cost_model(machine, 2), network, options);
  CHECK(last_end(result) == (250 + 2000 + 1500 + 100) * kMicrosecond);
}

TEST_CASE("reroute: bytes are counted on the links that a message began on", "[reroute]") {
  const cost::Machine machine = free_machine();
  const topology::Topology network = two_spines("first");
  Options options = losing(link_named(network, "la->s1"), kMillisecond / 2, 0);
  options.iterations = 4;
  const SimulatedRun result = run(one_message(), cost_model(machine, 2), network, options);
  const auto bytes = [&](const char* link) {
    return result.link_bytes[static_cast<std::size_t>(link_named(network, link))];
  };
  CHECK(bytes("a->la") == 4'000'000);
  CHECK(bytes("la->s1") == 1'000'000);
  CHECK(bytes("la->s2") == 3'000'000);
}

TEST_CASE("reroute: a ring of hosts is gone round the other way", "[reroute]") {
  // Each of n hosts sends 1 MB to the next one. Without the link from 0 to 1 that message takes the
  // n - 1 links of the other direction, which nobody else uses: 1 ms, and n - 1 latencies of 10 us.
  const cost::Machine machine = free_machine();
  for (const std::int32_t hosts : {3, 4, 7}) {
    const topology::Topology network = topology::parse_topology(
        R"({"name": "ring", "generate": {"ring": {"hosts": )" + std::to_string(hosts) +
            R"(, "bandwidth": "1 GB/s", "latency": "10 us"}}})",
        "ring");
    std::vector<std::vector<Step>> one_way, both_ways;
    for (Rank rank = 0; rank < hosts; ++rank) {
      const Rank next = (rank + 1) % hosts, last = (rank + hosts - 1) % hosts;
      one_way.push_back({send(next, 250'000), receive(last, 250'000)});
      both_ways.push_back({send(next, 250'000), send(last, 250'000, 1), receive(last, 250'000),
                           receive(next, 250'000, Operator::Replace, 1)});
    }
    const auto end = [&](std::vector<std::vector<Step>> lists) {
      return last_end(run(listed(std::move(lists)), cost_model(machine, hosts), network,
                          losing(link_named(network, "host0->host1"), 0, 0)));
    };
    CHECK(end(one_way) == kMillisecond + (hosts - 1) * 10 * kMicrosecond);
    // With messages the other way too, the one from 0 to 1 shares every link of that direction.
    CHECK(end(both_ways) == 2 * kMillisecond + (hosts - 1) * 10 * kMicrosecond);
  }
}

TEST_CASE("reroute: from the beginning it is the network without the link", "[reroute]") {
  // Where there is one shortest path or the first is taken. Random algorithms, links and sizes.
  const std::uint64_t seed = 77;
  INFO("seed " << seed);
  Random random(seed);
  const cost::Machine machine = free_machine();
  int avoided = 0;
  for (const char* name : {"leaf_spine_64_10gbit", "torus_4x4x4_25gbit", "full_mesh_8_10gbit",
                           "ring_8_10gbit", "hypercube_32_10gbit"}) {
    topology::Topology network = topology::load_topology(name);
    network.routing = topology::Routing::First;
    for (int round = 0; round < 6; ++round) {
      const auto lost = static_cast<LinkId>(random.below(network.links.size()));
      if (!topology::has_detour(network, lost)) continue;
      ++avoided;
      collectives::Operation operation;
      operation.ranks = 8;
      operation.data = {0, 0, 1 + random.below(100'000)};
      const auto& algorithms = collectives::all_algorithms();
      const Schedule schedule =
          collectives::make_schedule(algorithms[random.below(algorithms.size())], operation);
      const SimulatedRun without = run(schedule, cost_model(machine, 8),
                                       topology::without_link(network, lost), Fidelity::Flow);
      const SimulatedRun rerouted =
          run(schedule, cost_model(machine, 8), network, losing(lost, 0, 0));
      INFO(name << " without " << network.link_name(lost) << ", " << schedule.name);
      CHECK(last_end(rerouted) == last_end(without));
      CHECK(rerouted.link_bytes[static_cast<std::size_t>(lost)] == 0);
    }
  }
  CHECK(avoided > 15);
  // A host's only cable cannot be avoided.
  const topology::Topology star_of_two = star(2);
  CHECK_FALSE(topology::has_detour(star_of_two, 0));
}

}  // namespace lockstep::sim
