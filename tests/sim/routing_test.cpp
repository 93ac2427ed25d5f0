// SPDX-License-Identifier: Apache-2.0
// What a topology says of routes and sockets, as simulated times.
#include <catch2/catch.hpp>
#include <numeric>

#include "models/base/random.h"
#include "models/topology/routes.h"
#include "tests/sim/scenario.h"

namespace lockstep::sim {
namespace {

using topology::Routing;

/// Two leaves of two hosts, two spines, all cables 1 GB/s without latency; 0 → 2 and 1 → 3 have a
/// way over either spine.
topology::Topology fabric(Routing routing) {
  topology::Topology topology = topology::parse_topology(
      R"({"name": "fabric", "generate": {"leaf-spine": {"leaves": 2, "spines": 2,
          "hosts_per_leaf": 2, "bandwidth": "1 GB/s", "latency": "0 s"}}})",
      "fabric");
  topology.routing = routing;
  return topology;
}

/// Both flows, 1e6 B each.
const Schedule& two_flows() {
  static const Schedule schedule = listed(
      {{send(2, 250'000)}, {send(3, 250'000)}, {receive(0, 250'000)}, {receive(1, 250'000)}});
  return schedule;
}

topology::Topology with_sockets(double bytes_per_second, Time latency) {
  topology::Topology host = one_host();
  host.hosts[0].sockets = 2;
  host.hosts[0].socket_bytes_per_second = bytes_per_second;
  host.hosts[0].socket_latency = latency;
  return host;
}

}  // namespace

TEST_CASE("routing: flows on one way share it, split flows have all ways", "[routing]") {
  const cost::Machine machine = free_machine();
  const cost::CostModel cost = cost_model(machine, 4);
  // First: both over spine0, half of 1 GB/s each. Split: each has half of either spine.
  const SimulatedRun first = run(two_flows(), cost, fabric(Routing::First), Fidelity::Flow);
  CHECK(last_end(first) == 2 * kMillisecond);
  const SimulatedRun split = run(two_flows(), cost, fabric(Routing::Split), Fidelity::Flow);
  CHECK(last_end(split) == kMillisecond);
  // Links: 4 cables of hosts, then leaf0-spine0, leaf0-spine1, leaf1-spine0, leaf1-spine1, there
  // and back.
  CHECK(first.link_bytes[8] == 2'000'000);
  CHECK(first.link_bytes[10] == 0);
  for (const std::size_t link : {8, 10, 13, 15})
    CHECK(split.link_bytes[link] == 1'000'000);
}

TEST_CASE("routing: a split flow is as fast as its slowest part", "[routing]") {
  // The way over spine1 has 0.2 GB/s: half of a flow passes there, so alone it runs at 0.4 GB/s.
  // Two flows share 0.2 GB/s there: half of each is 0.1 GB/s.
  topology::Topology uneven = fabric(Routing::Split);
  uneven.links[10].bytes_per_second = 0.2e9;
  const cost::Machine machine = free_machine();
  const cost::CostModel cost = cost_model(machine, 4);
  const Schedule one = listed({{send(2, 250'000)}, {}, {receive(0, 250'000)}, {}});
  for (const Fidelity fidelity : kBoth)
    CHECK(last_end(run(one, cost, uneven, fidelity)) == kMillisecond * 10 / 4);
  CHECK(last_end(run(two_flows(), cost, uneven, Fidelity::Flow)) == 5 * kMillisecond);
  CHECK(last_end(run(two_flows(), cost, uneven, Fidelity::Ideal)) == kMillisecond * 10 / 4);
}

TEST_CASE("routing: hashed flows collide or not, as the seed has it", "[routing]") {
  const cost::Machine machine = free_machine();
  const cost::CostModel cost = cost_model(machine, 4);
  const topology::Topology topology = fabric(Routing::Hash);
  int collisions = 0;
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    topology::Routes routes(topology, seed);
    const LinkId one = routes.between({0, 2, 0, 2, 0}).hops[1].link;
    const LinkId other = routes.between({1, 3, 1, 3, 0}).hops[1].link;
    const SimulatedRun result = run(two_flows(), cost, topology, Options{.seed = seed});
    CHECK(last_end(result) == (one == other ? 2 : 1) * kMillisecond);
    collisions += one == other;
  }
  CHECK(std::abs(collisions - 32) < 5 * 4);  // five standard deviations of 64 throws
}

TEST_CASE("routing: bytes are conserved, whatever the routing", "[routing]") {
  // Over all links out of a host, and over all into it, go the bytes that its rank sends and gets.
  constexpr std::uint64_t kSeed = 411;
  CAPTURE(kSeed);
  Random random(kSeed);
  const cost::Machine machine = free_machine();
  for (const char* rule :
       {R"("rails": {"hosts": 6, "rails": 3)", R"("fat-tree": {"k": 4)",
        R"("torus-2d": {"x": 3, "y": 4)", R"("dragonfly": {"hosts_per_router": 1, "routers": 3,
        "global_links": 1)"}) {
    topology::Topology topology =
        topology::parse_topology(R"({"name": "t", "generate": {)" + std::string(rule) +
                                     R"(, "bandwidth": "1 GB/s", "latency": "1 us"}}})",
                                 "t");
    const auto ranks = static_cast<std::int32_t>(topology.hosts.size());
    std::vector<std::vector<Step>> lists(topology.hosts.size());
    std::vector<double> sent(topology.hosts.size());
    std::vector<double> received(topology.hosts.size());
    for (int i = 0; i < 40; ++i) {
      const auto from = static_cast<std::size_t>(random.below(topology.hosts.size()));
      const auto to = (from + 1 + random.below(topology.hosts.size() - 1)) % topology.hosts.size();
      const std::uint64_t floats = 1 + random.below(10'000);
      lists[from].push_back(send(static_cast<Rank>(to), floats));
      lists[to].push_back(receive(static_cast<Rank>(from), floats));
      sent[from] += 4 * static_cast<double>(floats);
      received[to] += 4 * static_cast<double>(floats);
    }
    const Schedule schedule = listed(lists);
    for (const Routing routing : {Routing::First, Routing::Hash, Routing::Split}) {
      topology.routing = routing;
      CAPTURE(rule, topology::name_of(routing));
      const SimulatedRun result =
          run(schedule, cost_model(machine, ranks), topology, Fidelity::Flow);
      std::vector<double> surplus(static_cast<std::size_t>(topology.nodes()));
      for (std::size_t link = 0; link < topology.links.size(); ++link) {
        const auto bytes = static_cast<double>(result.link_bytes[link]);
        surplus[static_cast<std::size_t>(topology.links[link].from)] += bytes;
        surplus[static_cast<std::size_t>(topology.links[link].to)] -= bytes;
      }
      for (std::size_t node = 0; node < surplus.size(); ++node) {
        const double expected = node < sent.size() ? sent[node] - received[node] : 0;
        // Each flow's bytes on each link are rounded to whole ones.
        CHECK(std::abs(surplus[node] - expected) <= (routing == Routing::Split ? 200 : 0));
      }
    }
  }
}

TEST_CASE("routing: a split flow has a part of every burst", "[routing]") {
  // Half of 3000 B on each rail, whose buckets let 1000 B pass: 500 B are left at 1e6 B/s.
  topology::Topology rails = topology::parse_topology(
      R"({"name": "t", "routing": "split", "generate": {"rails": {"hosts": 2, "rails": 2,
          "bandwidth": "1 MB/s", "latency": "0 s", "burst": "1 kB"}}})",
      "t");
  const cost::Machine machine = free_machine();
  const Schedule schedule = listed({{send(1, 750)}, {receive(0, 750)}});
  const SimulatedRun result = run(schedule, cost_model(machine, 2), rails, Fidelity::Flow);
  CHECK(std::abs(last_end(result) - kMillisecond / 2) <= 2);
}

TEST_CASE("sockets: each has its own cores and memory", "[sockets]") {
  cost::Machine machine = free_machine();
  set_compute(machine, 6e9);
  machine.cores = 2;
  machine.memory_bytes_per_second = 8e9;
  const auto end = [&](const std::vector<std::vector<Step>>& lists,
                       const topology::Topology& host) {
    const Schedule schedule = listed(lists);
    return last_end(
        run(schedule, cost_model(machine, schedule.ranks, {100}), host, Fidelity::Flow));
  };
  const topology::Topology two = with_sockets(1e9, {});
  // A rank wants 6 GB/s. On one socket it has 8; on its own of two sockets 4, so 100 ms become 150.
  CHECK(end({{compute(0)}, {}}, one_host()) == 100 * kMillisecond);
  CHECK(end({{compute(0)}, {}}, two) == 150 * kMillisecond);
  CHECK(end({{compute(0)}, {compute(0)}}, two) == 150 * kMillisecond);
  CHECK(end({{compute(0)}}, two) == 100 * kMillisecond);  // alone, it has both sockets
  // Of four ranks two share a socket: two on one have half of its core each, two on two have one.
  machine.memory_bytes_per_second = 0;
  CHECK(end({{compute(0)}, {compute(0)}, {}, {}}, two) == 200 * kMillisecond);
  CHECK(end({{compute(0)}, {}, {compute(0)}, {}}, two) == 100 * kMillisecond);
  CHECK(end({{compute(0)}, {compute(0)}, {}, {}}, one_host()) == 100 * kMillisecond);
}

TEST_CASE("sockets: messages between them share the link of their direction", "[sockets]") {
  const cost::Machine machine = free_machine();
  const topology::Topology host = with_sockets(1e9, Time{kMicrosecond});
  const auto end = [&](const std::vector<std::vector<Step>>& lists, Fidelity fidelity) {
    const Schedule schedule = listed(lists);
    return last_end(run(schedule, cost_model(machine, schedule.ranks), host, fidelity));
  };
  const Step out = send(1, 250'000);
  const Step in = receive(0, 250'000);
  const std::int64_t alone = kMillisecond + kMicrosecond;
  for (const Fidelity fidelity : kBoth) {
    CHECK(end({{out}, {in}}, fidelity) == alone);
    CHECK(end({{out, receive(1, 250'000)}, {in, send(0, 250'000)}}, fidelity) == alone);
    CHECK(end({{out}, {in}, {}, {}}, fidelity) == 0);  // ranks 0 and 1 share a socket
  }
  CHECK(end({{send(2, 250'000)}, {send(3, 250'000)}, {in}, {receive(1, 250'000)}},
            Fidelity::Flow) == 2 * kMillisecond + kMicrosecond);
  // The middle one of three ranks has half of its cores on either socket: half of it crosses.
  for (const Fidelity fidelity : kBoth)
    CHECK(end({{out}, {in}, {}}, fidelity) == kMillisecond / 2 + kMicrosecond);
}

}  // namespace lockstep::sim
