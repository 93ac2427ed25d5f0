// SPDX-License-Identifier: Apache-2.0
// Whether the simulator does what was executed: the same steps, and the same bytes between the same
// ranks.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <span>
#include <tuple>
#include <vector>

#include "models/schedule/facts.h"
#include "sim/runner/simulation.h"

namespace lockstep::parity {

/// What a rank did, without when: rank, lane, fragment, step, iteration, bytes, peer.
using Deed =
    std::tuple<Rank, int, std::uint32_t, std::uint32_t, std::int32_t, std::uint64_t, std::int32_t>;

inline std::vector<Deed> deeds(const std::vector<results::TraceSpan>& spans) {
  std::vector<Deed> all;
  for (const results::TraceSpan& span : spans)
    all.emplace_back(span.rank, static_cast<int>(span.lane), span.fragment, span.step,
                     span.iteration, span.bytes, span.peer);
  std::sort(all.begin(), all.end());
  return all;
}

inline cost::Machine a_machine() {
  cost::Machine machine;
  machine.cores = 4;
  machine.flops_per_core = 1e11;
  machine.memory_bytes_per_second = 2e10;
  machine.core_memory_bytes_per_second = 1e10;
  machine.loopback_bytes_per_second = 2e9;
  machine.message = {.send_overhead_seconds = 5e-6,
                     .receive_overhead_seconds = 5e-6,
                     .send_core_seconds_per_byte = 3e-10,
                     .receive_core_seconds_per_byte = 2e-10,
                     .latency_seconds = 2e-5,
                     .window_bytes = 1 << 20};
  machine.combine_seconds_per_byte = 1e-10;
  return machine;
}

inline sim::SimulatedRun simulate(const schedule::Schedule& schedule, const cost::CostModel& cost,
                                  sim::Fidelity fidelity, std::int32_t iterations) {
  topology::Topology one_host;
  one_host.name = "one_host";
  one_host.hosts.emplace_back().name = "host";
  const std::vector<HostId> hosts(static_cast<std::size_t>(schedule.ranks), 0);
  sim::Options options;
  options.fidelity = fidelity;
  options.record_spans = true;
  options.iterations = iterations;
  return sim::simulate(schedule, cost, one_host, hosts, options);
}

/// `spans` of all ranks and `bytes[rank][peer]` were executed in so many iterations.
inline void check_same_deeds(const schedule::Schedule& schedule, const cost::CostModel& cost,
                             const std::vector<results::TraceSpan>& spans,
                             std::span<const std::vector<std::uint64_t>> bytes,
                             std::int32_t iterations = 1) {
  const std::vector<Deed> done = deeds(spans);
  for (const sim::Fidelity fidelity : {sim::Fidelity::Ideal, sim::Fidelity::Flow}) {
    const sim::SimulatedRun run = simulate(schedule, cost, fidelity, iterations);
    CHECK(deeds(run.spans) == done);
    for (Rank rank = 0; rank < schedule.ranks; ++rank) {
      const std::vector<std::uint64_t>& sent = bytes[static_cast<std::size_t>(rank)];
      std::uint64_t sum = 0;
      for (const std::uint64_t to_peer : sent)
        sum += to_peer;
      CHECK(run.bytes_sent[static_cast<std::size_t>(rank)] == sum);
      std::vector<std::uint64_t> expected(sent.size());
      for (std::int32_t i = 0; i < iterations; ++i)
        for (const schedule::PairBytes& pair :
             schedule::rank_facts(in_iteration(schedule, i), rank).sent)
          expected[static_cast<std::size_t>(pair.peer)] += pair.bytes;
      CHECK(sent == expected);
    }
  }
}

}  // namespace lockstep::parity
