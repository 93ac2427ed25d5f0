// SPDX-License-Identifier: Apache-2.0
// Small schedules, machines and topologies for the tests of the simulator, and what to ask of a
// run.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <utility>
#include <vector>

#include "models/topology/placement.h"
#include "sim/runner/simulation.h"

namespace lockstep::sim {

using schedule::Lane;
using schedule::Operator;
using schedule::Schedule;
using schedule::Step;
using schedule::Verb;

inline constexpr std::int64_t kMicrosecond = 1'000'000;  // picoseconds
inline constexpr std::int64_t kMillisecond = 1000 * kMicrosecond;
inline constexpr std::int64_t kSecond = 1000 * kMillisecond;

/// `floats` elements of the only buffer.
inline Step send(Rank to, std::uint64_t floats, std::uint8_t stream = 0) {
  return {.verb = Verb::Send, .stream = stream, .target = to, .from = {0, 0, floats}};
}
inline Step receive(Rank from, std::uint64_t floats, Operator combine = Operator::Replace,
                    std::uint8_t stream = 0) {
  return {.verb = Verb::Recv,
          .combine = combine,
          .stream = stream,
          .target = from,
          .into = {0, 0, floats}};
}
inline Step combine(std::uint64_t floats) {
  return {.verb = Verb::Combine,
          .combine = Operator::Sum,
          .from = {0, 0, floats},
          .into = {0, 0, floats}};
}
inline Step compute(std::int32_t work, Lane lane = Lane::Compute) {
  return {.verb = Verb::Compute, .lane = lane, .target = work};
}
inline Step after(Step step, std::initializer_list<schedule::StepIndex> others) {
  for (const schedule::StepIndex other : others)
    step.wait_for(other);
  return step;
}

/// One list of steps for each rank, in one fragment that works for bucket 0.
inline Schedule listed(std::vector<std::vector<Step>> lists) {
  Schedule schedule;
  schedule.name = "listed";
  schedule.ranks = static_cast<std::int32_t>(lists.size());
  schedule.buffers = {{"data", 1u << 30}};
  schedule.fragments.push_back(
      {"steps", 0, std::make_shared<schedule::StepList>(std::move(lists)), {}});
  return schedule;
}

/// A machine without costs: one core, memory and loopback without limit.
inline cost::Machine free_machine() {
  cost::Machine machine;
  machine.cores = 1;
  return machine;
}

/// Work w lasts milliseconds[w] on one thread and moves memory_bytes_per_second meanwhile.
inline cost::CostModel cost_model(const cost::Machine& machine, std::int32_t ranks,
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

inline void set_compute(cost::Machine& machine, double memory_bytes_per_second = 0) {
  cost::LayerCost cost;
  cost.signature = "update";
  cost.threads = 1;
  cost.seconds.per_unit = 1e-3;
  cost.memory_bytes_per_unit = memory_bytes_per_second * 1e-3;
  machine.layers = {cost};
}

inline topology::Topology one_host() {
  return topology::load_topology("one_host");
}

/// Hosts on one switch, links of 1 GB/s and 10 us.
inline topology::Topology star(int hosts) {
  return topology::parse_topology(R"({"name": "star", "generate": {"star": {"hosts": )" +
                                      std::to_string(hosts) +
                                      R"(, "bandwidth": "1 GB/s", "latency": "10 us"}}})",
                                  "star");
}

inline SimulatedRun run(const Schedule& schedule, const cost::CostModel& cost,
                        const topology::Topology& topology, Options options) {
  options.record_spans = true;
  return simulate(
      schedule, cost, topology,
      topology::place(topology, schedule.ranks, {topology::PlacementKind::Scattered, {}}, "test"),
      options);
}

inline SimulatedRun run(const Schedule& schedule, const cost::CostModel& cost,
                        const topology::Topology& topology, Fidelity fidelity) {
  return run(schedule, cost, topology, Options{.fidelity = fidelity});
}

/// When the rank's step was complete, in picoseconds.
inline std::int64_t end_of(const SimulatedRun& run, Rank rank, schedule::StepIndex step) {
  for (const results::TraceSpan& span : run.spans)
    if (span.rank == rank && span.step == step) return span.end.picoseconds;
  FAIL("rank " << rank << ", step " << step << " was never complete");
  return 0;
}

inline std::int64_t last_end(const SimulatedRun& run) {
  std::int64_t last = 0;
  for (const auto& iterations : run.iterations)
    last = std::max(last, iterations.back().end.picoseconds);
  return last;
}

inline bool same(const SimulatedRun& a, const SimulatedRun& b) {
  const auto equal_spans = [](const results::TraceSpan& x, const results::TraceSpan& y) {
    return x.rank == y.rank && x.step == y.step && x.fragment == y.fragment &&
           x.iteration == y.iteration && x.start == y.start && x.end == y.end;
  };
  return std::equal(a.spans.begin(), a.spans.end(), b.spans.begin(), b.spans.end(), equal_spans) &&
         a.link_bytes == b.link_bytes && a.events == b.events;
}

inline constexpr Fidelity kBoth[] = {Fidelity::Ideal, Fidelity::Flow};

}  // namespace lockstep::sim
