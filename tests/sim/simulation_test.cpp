// SPDX-License-Identifier: Apache-2.0
#include "sim/runner/simulation.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <csignal>

#include "models/base/random.h"
#include "models/collectives/algorithm.h"
#include "models/schedule/facts.h"

namespace lockstep::sim {
namespace {

using schedule::Lane;
using schedule::Operator;
using schedule::Schedule;
using schedule::Step;
using schedule::Verb;

constexpr std::int64_t kMicrosecond = 1'000'000;  // picoseconds
constexpr std::int64_t kMillisecond = 1000 * kMicrosecond;
constexpr std::int64_t kSecond = 1000 * kMillisecond;

/// `floats` elements of the only buffer.
Step send(Rank to, std::uint64_t floats, std::uint8_t stream = 0) {
  return {.verb = Verb::Send, .stream = stream, .target = to, .from = {0, 0, floats}};
}
Step receive(Rank from, std::uint64_t floats, Operator combine = Operator::Replace,
             std::uint8_t stream = 0) {
  return {.verb = Verb::Recv,
          .combine = combine,
          .stream = stream,
          .target = from,
          .into = {0, 0, floats}};
}
Step combine(std::uint64_t floats) {
  return {.verb = Verb::Combine,
          .combine = Operator::Sum,
          .from = {0, 0, floats},
          .into = {0, 0, floats}};
}
Step compute(std::int32_t work, Lane lane = Lane::Compute) {
  return {.verb = Verb::Compute, .lane = lane, .target = work};
}
Step after(Step step, std::initializer_list<schedule::StepIndex> others) {
  for (const schedule::StepIndex other : others)
    step.wait_for(other);
  return step;
}

/// One list of steps for each rank, in one fragment that works for bucket 0.
Schedule listed(std::vector<std::vector<Step>> lists) {
  Schedule schedule;
  schedule.name = "listed";
  schedule.ranks = static_cast<std::int32_t>(lists.size());
  schedule.buffers = {{"data", 1u << 30}};
  schedule.fragments.push_back(
      {"steps", 0, std::make_shared<schedule::StepList>(std::move(lists)), {}});
  return schedule;
}

/// A machine without costs: one core, memory and loopback without limit.
cost::Machine free_machine() {
  cost::Machine machine;
  machine.cores = 1;
  return machine;
}

/// Work w lasts milliseconds[w] on one thread and moves memory_bytes_per_second meanwhile.
cost::CostModel cost_model(const cost::Machine& machine, std::int32_t ranks,
                           const std::vector<int>& milliseconds = {}) {
  network::WorkTable works;
  for (const int duration : milliseconds)
    works.push_back(
        {.kind = network::WorkKind::Update, .count = static_cast<std::uint64_t>(duration)});
  const auto count = static_cast<std::size_t>(ranks);
  return {network::Network{},
          works,
          std::vector<std::int32_t>(count, 1),
          1,
          std::vector<const cost::Machine*>(count, &machine),
          std::vector<double>(count, 1)};
}

void set_compute(cost::Machine& machine, double memory_bytes_per_second = 0) {
  cost::LayerCost cost;
  cost.signature = "update";
  cost.threads = 1;
  cost.seconds.per_unit = 1e-3;
  cost.memory_bytes_per_unit = memory_bytes_per_second * 1e-3;
  machine.layers = {cost};
}

topology::Topology one_host() {
  return topology::load_topology("one_host");
}

/// Hosts on one switch, links of 1 GB/s and 10 us.
topology::Topology star(int hosts) {
  return topology::parse_topology(R"({"name": "star", "generate": {"star": {"hosts": )" +
                                      std::to_string(hosts) +
                                      R"(, "bandwidth": "1 GB/s", "latency": "10 us"}}})",
                                  "star");
}

SimulatedRun run(const Schedule& schedule, const cost::CostModel& cost,
                 const topology::Topology& topology, Options options) {
  options.record_spans = true;
  return simulate(schedule, cost, topology,
                  topology::place(topology, schedule.ranks, topology::PlacementKind::Scattered),
                  options);
}

SimulatedRun run(const Schedule& schedule, const cost::CostModel& cost,
                 const topology::Topology& topology, Fidelity fidelity) {
  return run(schedule, cost, topology, Options{.fidelity = fidelity});
}

/// When the rank's step was complete, in picoseconds.
std::int64_t end_of(const SimulatedRun& run, Rank rank, schedule::StepIndex step) {
  for (const results::TraceSpan& span : run.spans)
    if (span.rank == rank && span.step == step) return span.end.picoseconds;
  FAIL("rank " << rank << ", step " << step << " was never complete");
  return 0;
}

std::int64_t last_end(const SimulatedRun& run) {
  std::int64_t last = 0;
  for (const auto& iterations : run.iterations)
    last = std::max(last, iterations.back().end.picoseconds);
  return last;
}

bool same(const SimulatedRun& a, const SimulatedRun& b) {
  const auto equal_spans = [](const results::TraceSpan& x, const results::TraceSpan& y) {
    return x.rank == y.rank && x.step == y.step && x.fragment == y.fragment &&
           x.iteration == y.iteration && x.start == y.start && x.end == y.end;
  };
  return std::equal(a.spans.begin(), a.spans.end(), b.spans.begin(), b.spans.end(), equal_spans) &&
         a.link_bytes == b.link_bytes && a.events == b.events;
}

constexpr Fidelity kBoth[] = {Fidelity::Ideal, Fidelity::Flow};

}  // namespace

TEST_CASE("simulation: all-reduce on an ideal network takes its closed form", "[simulation]") {
  // Per message: 3 us to send, 2 · 25 us of links, 5 us of software, 2 us to receive; then the
  // bytes at 125e6 · 1448 / 1538 B/s.
  cost::Machine machine = free_machine();
  machine.message = {
      .send_overhead_seconds = 3e-6, .receive_overhead_seconds = 2e-6, .latency_seconds = 5e-6};
  topology::Topology topology = topology::parse_topology(
      R"({"name": "s", "generate": {"star": {"hosts": 17, "bandwidth": "1 Gbit/s",
          "latency": "25 us", "header_efficiency": "1448/1538"}}})",
      "s");
  for (const auto& [window, overhead] : {std::pair{0ull, 0}, {0ull, 3}, {1ull << 40, 3}}) {
    machine.message.window_bytes = window;
    machine.message.send_overhead_seconds = overhead * 1e-6;
    machine.message.receive_overhead_seconds = overhead * 1e-6;
    const collectives::IdealNetwork network{Time{(55 + 2 * overhead) * kMicrosecond},
                                            125e6 * 1448 / 1538};
    for (const collectives::Algorithm algorithm : collectives::all_algorithms()) {
      for (std::int32_t ranks = 1; ranks <= 17; ++ranks) {
        const auto per_rank = static_cast<std::uint64_t>(ranks);
        for (const std::uint64_t count : {1000 * per_rank, 1000 * per_rank + ranks / 2,
                                          per_rank / 2, std::uint64_t{1}, std::uint64_t{0}}) {
          CAPTURE(window, overhead, collectives::name_of(algorithm), ranks, count);
          const Schedule schedule = collectives::all_reduce_schedule(algorithm, ranks, count, 0);
          const std::int64_t time =
              last_end(run(schedule, cost_model(machine, ranks), topology, Fidelity::Ideal));
          // Between the closed forms at the smallest and the largest chunk; they are one when the
          // count is divisible. 1 ps for each round is left for rounding. Where ranks are folded,
          // the form is exact when a Send takes as long as its Recv; if not, rounds overlap.
          const std::int64_t rounds = 2 * ranks;
          const Time low =
              collectives::closed_form(algorithm, ranks, count - count % per_rank, network);
          const Time high = collectives::closed_form(algorithm, ranks, count, network);
          const bool folds = algorithm == collectives::Algorithm::RecursiveDoubling &&
                             !std::has_single_bit(static_cast<std::uint32_t>(ranks));
          if (!folds || (window == 0 && overhead == 0)) CHECK(time >= low.picoseconds - rounds);
          CHECK(time <= high.picoseconds + rounds);
        }
      }
    }
  }
}

TEST_CASE("simulation: a ring on a star meets nobody, so flow takes what ideal takes",
          "[simulation]") {
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

TEST_CASE("simulation: a large message waits for its Recv, and its Send for the bytes to flow",
          "[simulation]") {
  // 1e6 floats = 4e6 B at 1 GB/s: 4 ms; two links of 10 us; the Recv is posted at 5 ms.
  cost::Machine machine = free_machine();
  set_compute(machine);
  const Schedule schedule =
      listed({{send(1, 1'000'000)}, {compute(0), after(receive(0, 1'000'000), {0})}});
  for (const Fidelity fidelity : kBoth) {
    const SimulatedRun result = run(schedule, cost_model(machine, 2, {5}), star(2), fidelity);
    const std::int64_t latency = fidelity == Fidelity::Ideal ? 20 * kMicrosecond : 0;
    CHECK(end_of(result, 0, 0) == 9 * kMillisecond + latency);
    CHECK(end_of(result, 1, 1) == 9 * kMillisecond + 20 * kMicrosecond);
  }
}

TEST_CASE("simulation: a small message leaves at once and is picked up later", "[simulation]") {
  // 250 floats = 1000 B. The Send is complete once copied: 1000 · 2 ns = 2 us. The Recv is posted
  // at 5 ms, long after arrival. Ideal: complete at once. Flow: the receiver reads it now, 1000 B ·
  // 3 ns = 3 us, after an overhead of 1 us.
  cost::Machine machine = free_machine();
  set_compute(machine);
  machine.message = {.send_core_seconds_per_byte = 2e-9,
                     .receive_core_seconds_per_byte = 3e-9,
                     .window_bytes = 1000};
  const Schedule schedule = listed({{send(1, 250)}, {compute(0), after(receive(0, 250), {0})}});
  const SimulatedRun ideal = run(schedule, cost_model(machine, 2, {5}), star(2), Fidelity::Ideal);
  CHECK(end_of(ideal, 0, 0) == 2 * kMicrosecond);
  CHECK(end_of(ideal, 1, 1) == 5 * kMillisecond);
  machine.message.receive_overhead_seconds = 1e-6;
  const SimulatedRun flow = run(schedule, cost_model(machine, 2, {5}), star(2), Fidelity::Flow);
  CHECK(end_of(flow, 0, 0) == 2 * kMicrosecond);
  CHECK(end_of(flow, 1, 1) == 5 * kMillisecond + 4 * kMicrosecond);
}

TEST_CASE("simulation: a Recv that is posted while its message flows works on what is there",
          "[simulation]") {
  // 1e6 B in 1 ms at 1 GB/s, from 0; 20 us of links. The receiver needs 0.8 ns a byte, 0.8 ms.
  // Posted at 0: as fast as the wire. Posted at 0.1 ms: done at 0.9 ms, so the wire decides still.
  // Posted at 0.7 ms: done at 1.5 ms. Posted at 3 ms: done at 3.8 ms.
  cost::Machine machine = free_machine();
  set_compute(machine);
  machine.cores = 2;
  machine.layers[0].seconds.per_unit = 1e-4;
  machine.message = {.receive_core_seconds_per_byte = 0.8e-9, .window_bytes = 1'000'000};
  const auto end = [&](int tenths) {
    const Schedule schedule =
        listed({{send(1, 250'000)}, {compute(0), after(receive(0, 250'000), {0})}});
    return end_of(run(schedule, cost_model(machine, 2, {tenths}), star(2), Fidelity::Flow), 1, 1) /
           kMicrosecond;
  };
  CHECK(end(0) == 1020);
  CHECK(end(1) == 1020);
  CHECK(end(7) == 1500);
  CHECK(end(30) == 3800);
}

TEST_CASE("simulation: a message runs at the slowest of wire, sender and receiver",
          "[simulation]") {
  // 1e6 B. Wire 1 ns a byte, sender 2 ns, receiver 1 ns and 3 ns more to add: 2 ms to store, 4 ms
  // to add; 20 us of links.
  cost::Machine machine = free_machine();
  machine.message = {.send_core_seconds_per_byte = 2e-9, .receive_core_seconds_per_byte = 1e-9};
  machine.combine_seconds_per_byte = 3e-9;
  for (const Fidelity fidelity : kBoth)
    for (const std::uint64_t window : {0, 1'000'000}) {
      machine.message.window_bytes = window;
      const auto time = [&](Operator combine) {
        const Schedule schedule = listed({{send(1, 250'000)}, {receive(0, 250'000, combine)}});
        return end_of(run(schedule, cost_model(machine, 2), star(2), fidelity), 1, 0);
      };
      CHECK(time(Operator::Replace) == 2 * kMillisecond + 20 * kMicrosecond);
      CHECK(time(Operator::Sum) == 4 * kMillisecond + 20 * kMicrosecond);
    }
}

TEST_CASE("simulation: fixed overheads take turns on the communication lane", "[simulation]") {
  // Rank 0 sends to 1 and 2, 10 us each; both send back at once, which takes 10 us to receive.
  // No bytes; 20 us of links each way. Out: 30 us and 40 us. Back, 10 us to send: rank 1's arrives
  // at 60 us and is taken in until 70 us; rank 2's arrives at 70 us: 80 us. Ideal: 30 us, 60 + 10
  // us.
  cost::Machine machine = free_machine();
  machine.message = {.send_overhead_seconds = 10e-6, .receive_overhead_seconds = 10e-6};
  const Schedule schedule = listed({{send(1, 0), send(2, 0), receive(1, 0), receive(2, 0)},
                                    {receive(0, 0), after(send(0, 0), {0})},
                                    {receive(0, 0), after(send(0, 0), {0})}});
  // Receiving takes the others 10 us as well: 40 and 50 us; sent 50 and 60; here at 70 and 80.
  const SimulatedRun flow = run(schedule, cost_model(machine, 3), star(3), Fidelity::Flow);
  CHECK(end_of(flow, 1, 0) == 40 * kMicrosecond);
  CHECK(end_of(flow, 2, 0) == 50 * kMicrosecond);
  CHECK(end_of(flow, 0, 2) == 80 * kMicrosecond);
  CHECK(end_of(flow, 0, 3) == 90 * kMicrosecond);
  const SimulatedRun ideal = run(schedule, cost_model(machine, 3), star(3), Fidelity::Ideal);
  CHECK(end_of(ideal, 0, 2) == 80 * kMicrosecond);
  CHECK(end_of(ideal, 0, 3) == 80 * kMicrosecond);
}

TEST_CASE("simulation: messages that arrive together are taken in one after the other",
          "[simulation]") {
  // Two empty messages at 20 us, 10 us each to receive.
  cost::Machine machine = free_machine();
  machine.message = {.receive_overhead_seconds = 10e-6};
  const Schedule schedule = listed({{receive(1, 0), receive(2, 0)}, {send(0, 0)}, {send(0, 0)}});
  const SimulatedRun flow = run(schedule, cost_model(machine, 3), star(3), Fidelity::Flow);
  CHECK(end_of(flow, 0, 0) == 30 * kMicrosecond);
  CHECK(end_of(flow, 0, 1) == 40 * kMicrosecond);
}

TEST_CASE("simulation: a Combine holds the communication lane", "[simulation]") {
  // 1e6 B · 1 ns = 1 ms; the Send, ready from the start, begins after it; 20 us of links.
  cost::Machine machine = free_machine();
  machine.combine_seconds_per_byte = 1e-9;
  const Schedule schedule = listed({{combine(250'000), send(1, 0)}, {receive(0, 0)}});
  for (const Fidelity fidelity : kBoth) {
    const SimulatedRun result = run(schedule, cost_model(machine, 2), star(2), fidelity);
    CHECK(end_of(result, 0, 0) == kMillisecond);
    CHECK(end_of(result, 1, 0) == kMillisecond + 20 * kMicrosecond);
  }
}

TEST_CASE("simulation: ranks on one host share its cores", "[simulation]") {
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

TEST_CASE("simulation: ranks on one host share its memory bandwidth", "[simulation]") {
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

TEST_CASE("simulation: a message slows down the computation beside it", "[simulation]") {
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

TEST_CASE("simulation: input is loaded beside computing, one work at a time on each lane",
          "[simulation]") {
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

TEST_CASE("simulation: ranks of one host talk over its loopback", "[simulation]") {
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

TEST_CASE("simulation: flows between racks share the cable between them", "[simulation]") {
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
    const std::string& name = racks.links[link].name;
    CAPTURE(name);
    const bool leaves = name.starts_with("rack0-host");
    const bool enters = name.starts_with("rack1->rack1-host");
    CHECK(result.link_bytes[link] == (name == "rack0->rack1" ? 4'000'000u
                                      : leaves || enters     ? 1'000'000u
                                                             : 0u));
  }
}

TEST_CASE("simulation: a link with a burst passes it at line rate after idling", "[simulation]") {
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

TEST_CASE("simulation: iterations follow each other without a barrier", "[simulation]") {
  // Rank 0 computes 1 s and sends without bytes; rank 1 receives and computes 3 s. Rank 0 runs
  // ahead.
  cost::Machine machine = free_machine();
  set_compute(machine);
  const Schedule schedule =
      listed({{compute(0), after(send(1, 0), {0})}, {receive(0, 0), after(compute(1), {0})}});
  topology::Topology near = star(2);
  for (topology::Link& link : near.links)
    link.latency = Time{};
  for (const Fidelity fidelity : kBoth) {
    const SimulatedRun result = run(schedule, cost_model(machine, 2, {1000, 3000}), near,
                                    Options{.fidelity = fidelity, .iterations = 3});
    REQUIRE(result.iterations[0].size() == 3);
    REQUIRE(result.iterations[1].size() == 3);
    for (int i = 0; i < 3; ++i) {
      const auto index = static_cast<std::size_t>(i);
      CHECK(result.iterations[0][index].start.picoseconds == i * kSecond);
      CHECK(result.iterations[0][index].end.picoseconds == (i + 1) * kSecond);
      // 1 + 3, then 3 each: the messages are there already.
      CHECK(result.iterations[1][index].end.picoseconds == (4 + 3 * i) * kSecond);
    }
    CHECK(result.messages == 3);
  }
}

TEST_CASE("simulation: warm-up iterations leave no trace", "[simulation]") {
  cost::Machine machine = free_machine();
  set_compute(machine);
  const Schedule schedule = listed({{compute(0), send(1, 1000)}, {compute(0), receive(0, 1000)}});
  const SimulatedRun result =
      run(schedule, cost_model(machine, 2, {10}), star(2),
          Options{.fidelity = Fidelity::Flow, .iterations = 2, .warm_up_iterations = 3});
  for (const auto& iterations : result.iterations) {
    REQUIRE(iterations.size() == 2);
    CHECK(iterations[0].start.picoseconds == 30 * kMillisecond);
    CHECK(iterations[1].end.picoseconds == 50 * kMillisecond);
  }
  CHECK(result.bytes_sent == std::vector<std::uint64_t>{8000, 0});  // 2 · 1000 floats
  CHECK(result.link_bytes[0] == 8000);
  CHECK(result.spans.size() == 8);
  for (const results::TraceSpan& span : result.spans) {
    CHECK(span.start.picoseconds >= 30 * kMillisecond);
    CHECK((span.iteration == 0 || span.iteration == 1));
  }
  CHECK(result.messages == 5);
  // Bucket 0 is all there is: each iteration from start to end, 10 ms.
  REQUIRE(result.bucket_seconds.size() == 1);
  CHECK(result.bucket_seconds[0] == Approx(10e-3));
}

TEST_CASE("simulation: time without computing is told apart by what it waits for", "[simulation]") {
  // Rank 0 computes 10 ms, then sends 1e6 B (1 ms, 20 us of links). Rank 1 computes 2 ms beside its
  // Recv: from 2 to 10 ms it waits for rank 0, until 11.02 ms for the bytes.
  cost::Machine machine = free_machine();
  set_compute(machine);
  const Schedule schedule =
      listed({{compute(0), after(send(1, 250'000), {0})}, {compute(1), receive(0, 250'000)}});
  for (const Fidelity fidelity : kBoth) {
    const SimulatedRun result = run(schedule, cost_model(machine, 2, {10, 2}), star(2), fidelity);
    const results::IterationFigures& sender = result.iterations[0][0];
    CHECK(sender.compute.picoseconds == 10 * kMillisecond);
    CHECK(sender.exposed.picoseconds ==
          kMillisecond + (fidelity == Fidelity::Ideal ? 20 * kMicrosecond : 0));
    CHECK(sender.waiting.picoseconds == 0);
    const results::IterationFigures& receiver = result.iterations[1][0];
    CHECK(receiver.compute.picoseconds == 2 * kMillisecond);
    CHECK(receiver.exposed.picoseconds == 9 * kMillisecond + 20 * kMicrosecond);
    CHECK(receiver.waiting.picoseconds == 8 * kMillisecond);
    CHECK(receiver.duration().picoseconds == 11 * kMillisecond + 20 * kMicrosecond);
  }
}

TEST_CASE("simulation: noise is drawn from the seed, for each rank and iteration", "[simulation]") {
  cost::Machine machine = free_machine();
  set_compute(machine);
  const Schedule schedule = listed({{compute(0)}, {compute(0)}});
  const auto durations = [&](double noise, std::uint64_t seed) {
    const SimulatedRun result = run(
        schedule, cost_model(machine, 2, {100}), star(2),
        Options{
            .fidelity = Fidelity::Flow, .iterations = 500, .compute_noise = noise, .seed = seed});
    std::vector<double> all;
    for (const auto& iterations : result.iterations)
      for (const results::IterationFigures& figures : iterations)
        all.push_back(figures.duration().seconds());
    return all;
  };
  for (const double duration : durations(0, 1))
    CHECK(duration == Approx(0.1));
  const std::vector<double> drawn = durations(0.05, 1);
  CHECK(drawn == durations(0.05, 1));
  CHECK(drawn != durations(0.05, 2));
  CHECK(drawn[0] != drawn[1]);    // another iteration
  CHECK(drawn[0] != drawn[500]);  // another rank
  double mean = 0;
  for (const double duration : drawn)
    mean += duration / 1000;
  double squares = 0;
  for (const double duration : drawn)
    squares += (duration - mean) * (duration - mean) / 1000;
  // 1000 draws: the mean errs by 0.05 / √1000 = 0.16 %, the spread by 1 / √2000 = 2.2 %.
  CHECK(mean == Approx(0.1).epsilon(0.01));
  CHECK(std::sqrt(squares) / mean == Approx(0.05).epsilon(0.1));
}

TEST_CASE("simulation: the same input gives the same result, whatever ran before", "[simulation]") {
  cost::Machine machine = free_machine();
  machine.message = {1e-6, 2e-6, 0.3e-9, 0.4e-9, 5e-6, 3000, 0};
  machine.loopback_bytes_per_second = 3e9;
  const auto once = [&](std::int32_t ranks) {
    return run(collectives::all_reduce_schedule(collectives::Algorithm::Ring, ranks, 9999, 300),
               cost_model(machine, ranks), star(3),
               Options{.fidelity = Fidelity::Flow, .iterations = 2});
  };
  const SimulatedRun first = once(7);
  const SimulatedRun other = once(8);
  CHECK(same(first, once(7)));
  CHECK(same(other, once(8)));
  CHECK_FALSE(same(first, other));
}

namespace {

/// Messages in a random global order, which both ends heed, computations between them, and random
/// dependencies on earlier steps of the same rank: it ends on any network.
Schedule random_messages(Random& random, std::int32_t ranks) {
  std::vector<std::vector<Step>> lists(static_cast<std::size_t>(ranks));
  const auto add = [&](Rank rank, Step step) {
    std::vector<Step>& list = lists[static_cast<std::size_t>(rank)];
    for (int i = 0; i < 2; ++i)
      if (!list.empty() && random.below(3) == 0)
        step.wait_for(static_cast<schedule::StepIndex>(random.below(list.size())));
    list.push_back(step);
  };
  const std::uint64_t count = 1 + random.below(60);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto from = static_cast<Rank>(random.below(static_cast<std::uint64_t>(ranks)));
    const auto to = static_cast<Rank>(random.below(static_cast<std::uint64_t>(ranks)));
    if (from == to) {
      if (random.below(2) == 0)
        add(from, compute(static_cast<std::int32_t>(random.below(3))));
      else
        add(from, combine(random.below(1000)));
      continue;
    }
    const std::uint64_t floats = random.below(4) == 0 ? 0 : random.below(5000);
    const auto stream = static_cast<std::uint8_t>(random.below(2));
    add(from, send(to, floats, stream));
    add(to,
        receive(from, floats, random.below(2) == 0 ? Operator::Sum : Operator::Replace, stream));
  }
  return listed(lists);
}

}  // namespace

TEST_CASE("simulation: random schedules end, with every byte where it belongs", "[simulation]") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const auto ranks = static_cast<std::int32_t>(1 + random.below(6));
    const Schedule schedule = random_messages(random, ranks);
    cost::Machine machine = free_machine();
    set_compute(machine, 1e9 * static_cast<double>(random.below(4)));
    machine.layers[0].seconds.per_unit = 1e-6;
    machine.memory_bytes_per_second = 5e9;
    machine.loopback_bytes_per_second = 2e9;
    machine.combine_seconds_per_byte = 0.2e-9;
    machine.message = {1e-6 * static_cast<double>(random.below(3)),
                       1e-6 * static_cast<double>(random.below(3)),
                       0.5e-9,
                       0.7e-9,
                       1e-6,
                       random.below(3) * 5000,
                       0};
    const topology::Topology topology = star(1 + static_cast<int>(random.below(5)));
    for (const Fidelity fidelity : kBoth) {
      const SimulatedRun result = run(schedule, cost_model(machine, ranks, {1, 5, 20}), topology,
                                      Options{.fidelity = fidelity, .iterations = 2});
      std::size_t steps = 0;
      std::uint64_t total = 0;
      for (Rank rank = 0; rank < ranks; ++rank) {
        const schedule::RankFacts facts = schedule::rank_facts(schedule, rank);
        REQUIRE(result.bytes_sent[static_cast<std::size_t>(rank)] == 2 * facts.bytes_sent);
        steps += 2 * schedule::steps_of(schedule.fragments[0], rank).size();
        // Between two hosts a message takes one link up and one down.
        for (const schedule::PairBytes& pair : facts.sent)
          if (pair.peer % static_cast<Rank>(topology.hosts.size()) !=
              rank % static_cast<Rank>(topology.hosts.size()))
            total += 2 * 2 * pair.bytes;
      }
      REQUIRE(result.spans.size() == steps);
      for (const std::uint64_t bytes : result.link_bytes)
        total -= bytes;
      REQUIRE(total == 0);
    }
  }
}

TEST_CASE("simulation: at half the speed of everything all takes twice as long", "[simulation]") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const auto ranks = static_cast<std::int32_t>(2 + random.below(5));
    const Schedule schedule = random_messages(random, ranks);
    const auto time = [&](double slow) {
      cost::Machine machine = free_machine();
      // Threads and flows share nothing here: their weights are in proportion to a flow's usual
      // rate, which does not scale.
      machine.cores = 64;
      set_compute(machine);
      machine.layers[0].seconds.per_unit = 1e-6 * slow;
      machine.memory_bytes_per_second = 5e9 / slow;
      machine.loopback_bytes_per_second = 2e9 / slow;
      machine.combine_seconds_per_byte = 0.2e-9 * slow;
      machine.message = {
          1e-6 * slow, 2e-6 * slow, 0.5e-9 * slow, 0.7e-9 * slow, 1e-6 * slow, 5000, 0};
      topology::Topology topology = star(3);
      for (topology::Link& link : topology.links) {
        link.bytes_per_second /= slow;
        link.latency = Time::from_seconds(link.latency.seconds() * slow);
      }
      return last_end(
          run(schedule, cost_model(machine, ranks, {1, 5, 20}), topology, Fidelity::Flow));
    };
    // What is left is rounding, a few picoseconds for each event of a chain.
    const std::int64_t fast = time(1);
    const std::int64_t slow = time(2);
    REQUIRE(std::abs(slow - 2 * fast) <= 2000);
  }
}

TEST_CASE("simulation: a schedule that cannot end fails and names the steps that wait",
          "[simulation]") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    signal(SIGABRT, SIG_DFL);  // Catch's handler would report it as this test's failure
    const cost::Machine machine = free_machine();
    const Schedule schedule = listed(
        {{receive(1, 10), after(send(1, 10), {0})}, {receive(0, 10), after(send(0, 10), {0})}});
    run(schedule, cost_model(machine, 2), star(2), Fidelity::Flow);
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char piece[256];
  for (ssize_t size = 0; (size = read(ends[0], piece, sizeof piece)) > 0;)
    text.append(piece, static_cast<std::size_t>(size));
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK_THAT(text, Catch::Contains("2 ranks have not finished"));
  CHECK_THAT(text, Catch::Contains("rank 0, steps, step 0: receive data[0, 10) from 1"));
  CHECK_THAT(text, Catch::Contains("rank 1, steps, step 0: receive data[0, 10) from 0"));
}

}  // namespace lockstep::sim
