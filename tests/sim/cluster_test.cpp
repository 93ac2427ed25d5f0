// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cmath>

#include "models/collectives/algorithm.h"
#include "tests/sim/scenario.h"

namespace lockstep::sim {

TEST_CASE("cluster: a ring on a star meets nobody, so flow takes what ideal takes", "[cluster]") {
  const cost::Machine machine = free_machine();
  for (const std::int32_t ranks : {2, 3, 8, 13}) {
    CAPTURE(ranks);
    const Schedule schedule = collectives::all_reduce_schedule(
        collectives::Algorithm::Ring, ranks, static_cast<std::uint64_t>(ranks) * 777, 0);
    const cost::CostModel cost = cost_model(machine, ranks);
    CHECK(last_end(run(schedule, cost, star(ranks), Fidelity::Flow)) ==
          last_end(run(schedule, cost, star(ranks), Fidelity::Ideal)));
  }
}

TEST_CASE("cluster: ranks on one host share its cores", "[cluster]") {
  cost::Machine machine = free_machine();
  set_compute(machine);
  const Schedule schedule = listed({{compute(0)}, {compute(0)}, {compute(1)}});
  const auto ends = [&](double cores, Fidelity fidelity) {
    machine.cores = cores;
    const SimulatedRun result =
        run(schedule, cost_model(machine, 3, {100, 400}), one_host(), fidelity);
    return std::pair(end_of(result, 0, 0) / kMillisecond, end_of(result, 2, 0) / kMillisecond);
  };
  // Three threads on 3 cores: 100 ms, 400 ms. On one: a third each until 300 ms, when the long one
  // has done 100 of its 400 ms: 300 + 300. On 2: two thirds each until 150 ms, then 300 ms more.
  CHECK(ends(3, Fidelity::Flow) == std::pair(std::int64_t{100}, std::int64_t{400}));
  CHECK(ends(1, Fidelity::Flow) == std::pair(std::int64_t{300}, std::int64_t{600}));
  CHECK(ends(2, Fidelity::Flow) == std::pair(std::int64_t{150}, std::int64_t{450}));
  CHECK(ends(1, Fidelity::Ideal) == std::pair(std::int64_t{100}, std::int64_t{400}));
  // The topology's number of cores goes before the machine's.
  topology::Topology host = one_host();
  host.hosts[0].cores = 1;
  machine.cores = 64;
  CHECK(last_end(run(schedule, cost_model(machine, 3, {100, 400}), host, Fidelity::Flow)) ==
        600 * kMillisecond);
}

TEST_CASE("cluster: ranks on one host share its memory bandwidth", "[cluster]") {
  // Each wants 6 GB/s of 9: both together get 4.5, so 100 ms become 100 · 6 / 4.5.
  cost::Machine machine = free_machine();
  set_compute(machine, 6e9);
  machine.cores = 2;
  machine.memory_bytes_per_second = 9e9;
  const Schedule schedule = listed({{compute(0)}, {compute(0)}});
  const SimulatedRun result =
      run(schedule, cost_model(machine, 2, {100}), one_host(), Fidelity::Flow);
  CHECK(last_end(result) == (400 * kMillisecond + 2) / 3);
}

TEST_CASE("cluster: a message slows down the computation beside it", "[cluster]") {
  // One core. Sending costs 1 ns a byte and the wire is fast: alone 1e9 B/s. Beside a thread the
  // flow gets half of the core, and so does the thread: 1e8 B and 100 ms both take 200 ms.
  cost::Machine machine = free_machine();
  set_compute(machine);
  machine.message = {.send_core_seconds_per_byte = 1e-9};
  topology::Topology fast = star(2);
  for (topology::Link& link : fast.links)
    link.bytes_per_second = 1e12;
  const Schedule schedule = listed({{compute(0), send(1, 25'000'000)}, {receive(0, 25'000'000)}});
  const SimulatedRun flow = run(schedule, cost_model(machine, 2, {100}), fast, Fidelity::Flow);
  CHECK(end_of(flow, 0, 0) == 200 * kMillisecond);
  CHECK(end_of(flow, 0, 1) == 200 * kMillisecond);
  const SimulatedRun ideal = run(schedule, cost_model(machine, 2, {100}), fast, Fidelity::Ideal);
  CHECK(end_of(ideal, 0, 0) == 100 * kMillisecond);
  CHECK(end_of(ideal, 0, 1) == 100 * kMillisecond + 20 * kMicrosecond);
}

TEST_CASE("cluster: input is loaded beside computing, one work at a time on each lane",
          "[cluster]") {
  cost::Machine machine = free_machine();
  set_compute(machine);
  machine.cores = 2;
  const Schedule schedule =
      listed({{compute(0), compute(0), compute(0, Lane::Input), compute(0, Lane::Input)}});
  for (const Fidelity fidelity : kBoth) {
    const SimulatedRun result = run(schedule, cost_model(machine, 1, {10}), one_host(), fidelity);
    CHECK(end_of(result, 0, 0) == 10 * kMillisecond);
    CHECK(end_of(result, 0, 1) == 20 * kMillisecond);
    CHECK(end_of(result, 0, 2) == 10 * kMillisecond);
    CHECK(end_of(result, 0, 3) == 20 * kMillisecond);
    // The input lane is not the compute lane.
    CHECK(result.iterations[0][0].compute.picoseconds == 20 * kMillisecond);
  }
}

TEST_CASE("cluster: ranks of one host talk over its loopback", "[cluster]") {
  // 1e6 B at 2 GB/s: 0.5 ms; two messages at a time share it: 1 ms. No links, no latency.
  cost::Machine machine = free_machine();
  machine.loopback_bytes_per_second = 2e9;
  const Schedule one = listed({{send(1, 250'000)}, {receive(0, 250'000)}});
  const Schedule two =
      listed({{send(1, 250'000), receive(1, 250'000)}, {send(0, 250'000), receive(0, 250'000)}});
  for (const Fidelity fidelity : kBoth)
    CHECK(last_end(run(one, cost_model(machine, 2), one_host(), fidelity)) == kMillisecond / 2);
  CHECK(last_end(run(two, cost_model(machine, 2), one_host(), Fidelity::Ideal)) ==
        kMillisecond / 2);
  CHECK(last_end(run(two, cost_model(machine, 2), one_host(), Fidelity::Flow)) == kMillisecond);
  machine.loopback_bytes_per_second = 0;  // without limit
  for (const Fidelity fidelity : kBoth)
    CHECK(last_end(run(two, cost_model(machine, 2), one_host(), fidelity)) == 0);
}

TEST_CASE("cluster: flows between racks share the cable between them", "[cluster]") {
  // Ranks 0–3 in one rack send 1e6 B each to 4–7 in the other: 4e6 B over one cable of
  // 125e6 · 1448 / 1538 B/s, and three links of 25 us.
  const topology::Topology racks = topology::load_topology("two_racks_oversubscribed");
  const cost::Machine machine = free_machine();
  std::vector<std::vector<Step>> lists;
  for (Rank rank = 0; rank < 4; ++rank)
    lists.push_back({send(rank + 4, 250'000)});
  for (Rank rank = 0; rank < 4; ++rank)
    lists.push_back({receive(rank, 250'000)});
  const Schedule schedule = listed(lists);
  const SimulatedRun result = run(schedule, cost_model(machine, 8), racks, Fidelity::Flow);
  const Time wire = transfer_time(4'000'000, 125e6 * 1448 / 1538);
  for (Rank rank = 4; rank < 8; ++rank)
    CHECK(std::abs(end_of(result, rank, 0) - wire.picoseconds - 75 * kMicrosecond) <= 1);
  for (std::size_t link = 0; link < racks.links.size(); ++link) {
    const std::string name = racks.link_name(static_cast<LinkId>(link));
    CAPTURE(name);
    const bool leaves = name.starts_with("rack0-host");
    const bool enters = name.starts_with("rack1->rack1-host");
    CHECK(result.link_bytes[link] == (name == "rack0->rack1" ? 4'000'000u
                                      : leaves || enters     ? 1'000'000u
                                                             : 0u));
  }
}

TEST_CASE("cluster: a link with a burst passes it at line rate after idling", "[cluster]") {
  // a → switch at 1e6 B/s with a bucket of 1000 B, switch → b at 1 GB/s. In a time T the first link
  // passes 1000 B + 1e6 B/s · T: 3000 B take 2 ms. After 0.5 ms the bucket holds 500 B: 2.5 ms.
  // After a long time it is full again, but no more than that: 2 ms.
  const topology::Topology topology = topology::parse_topology(
      R"({"name": "t", "hosts": [{"name": "a"}, {"name": "b"}], "switches": ["s"],
          "link_defaults": {"latency": "0 s"},
          "links": [{"from": "a", "to": "s", "bandwidth": "1 MB/s", "burst": "1 kB"},
                    {"from": "s", "to": "b", "bandwidth": "1 GB/s"}]})",
      "t");
  cost::Machine machine = free_machine();
  set_compute(machine);
  machine.layers[0].seconds.per_unit = 0.5e-3;
  const Schedule schedule = listed({{send(1, 750), after(compute(0), {0}), after(send(1, 750), {1}),
                                     after(compute(1), {2}), after(send(1, 750), {3})},
                                    {receive(0, 750), receive(0, 750), receive(0, 750)}});
  const SimulatedRun result =
      run(schedule, cost_model(machine, 2, {1, 100}), topology, Fidelity::Flow);
  const std::int64_t half = kMillisecond / 2;
  CHECK(std::abs(end_of(result, 1, 0) - 4 * half) <= 2);
  CHECK(std::abs(end_of(result, 1, 1) - 10 * half) <= 4);              // 2 + 0.5 + 2.5
  CHECK(std::abs(end_of(result, 1, 2) - (10 + 100 + 4) * half) <= 6);  // + 50 + 2
}

}  // namespace lockstep::sim
