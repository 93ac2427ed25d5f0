// SPDX-License-Identifier: Apache-2.0
// Every algorithm on an ideal network takes its closed form, to a picosecond per round.
#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>

#include "models/collectives/algorithm.h"
#include "tests/sim/scenario.h"
#include "tests/support/operations.h"

namespace lockstep::sim {
namespace {

using collectives::Algorithm;
using collectives::Operation;
using support::Case;

/// 2 · 25 us of links, 5 us of software; then the bytes at 125e6 · 1448 / 1538 B/s.
constexpr std::int64_t kLatency = 55 * kMicrosecond;
constexpr double kBytesPerSecond = 125e6 * 1448 / 1538;

topology::Topology a_star() {
  return topology::parse_topology(
      R"({"name": "s", "generate": {"star": {"hosts": 17, "bandwidth": "1 Gbit/s",
          "latency": "25 us", "header_efficiency": "1448/1538"}}})",
      "s");
}

cost::Machine a_machine(std::uint64_t window_bytes, std::int64_t overhead) {
  cost::Machine machine = free_machine();
  machine.message.latency_seconds = 5e-6;
  machine.message.window_bytes = window_bytes;
  machine.message.send_overhead_seconds = static_cast<double>(overhead) * 1e-12;
  machine.message.receive_overhead_seconds = machine.message.send_overhead_seconds;
  return machine;
}

std::vector<std::uint64_t> counts_for(std::int32_t ranks) {
  const auto p = static_cast<std::uint64_t>(ranks);
  return {1000 * p, 1000 * p + p / 2, p / 2, 1, 0};
}

std::int64_t simulated(const Case& one, const cost::Machine& machine,
                       const topology::Topology& topology) {
  const Schedule schedule = make_schedule(one.algorithm, one.operation);
  return last_end(
      run(schedule, cost_model(machine, one.operation.ranks), topology, Fidelity::Ideal));
}

std::int64_t closed_form(const Case& one, Time latency = Time{kLatency}) {
  return collectives::closed_form(one.algorithm, one.operation, {latency, kBytesPerSecond})
      .picoseconds;
}

bool is_power_of_two(std::int32_t ranks) {
  return std::has_single_bit(static_cast<std::uint32_t>(ranks));
}

std::vector<std::uint64_t> group_sizes(const Operation& operation) {
  std::vector<std::uint64_t> sizes;
  for (const std::int32_t group : operation.groups) {
    sizes.resize(std::max(sizes.size(), static_cast<std::size_t>(group) + 1));
    ++sizes[static_cast<std::size_t>(group)];
  }
  return sizes;
}

/// What the operation takes at least: two closed forms are bounds from above. The circulant graph's
/// counts all chunks as if they were as large as the largest. The hierarchical one lets everyone
/// wait for a first and a last message, of a shard, where in unequal groups not everyone does.
std::int64_t least_time(const Case& one) {
  const Operation& operation = one.operation;
  const std::uint64_t count = operation.data.count;
  if (one.algorithm == Algorithm::HalvingDoubling && !is_power_of_two(operation.ranks)) {
    Case even = one;
    even.operation.data.count -= count % static_cast<std::uint64_t>(operation.ranks);
    return closed_form(even);
  }
  const std::vector<std::uint64_t> sizes = group_sizes(operation);
  if (one.algorithm == Algorithm::Hierarchical && count > 0 && !sizes.empty()) {
    const std::uint64_t largest = *std::max_element(sizes.begin(), sizes.end());
    const bool equal = largest * sizes.size() == static_cast<std::uint64_t>(operation.ranks);
    const collectives::IdealNetwork network{Time{kLatency}, kBytesPerSecond};
    const Time shard = network.message(schedule::ceiling_divide(count, largest));
    return closed_form(one) - (equal ? 0 : 2 * shard.picoseconds);
  }
  return closed_form(one);
}

}  // namespace

TEST_CASE("closed form: every algorithm takes it on an ideal network", "[simulation]") {
  // Sends are complete at once, as the closed forms assume.
  const cost::Machine machine = a_machine(std::uint64_t{1} << 40, 0);
  const topology::Topology topology = a_star();
  for (std::int32_t ranks = 1; ranks <= 17; ++ranks)
    for (const std::uint64_t count : counts_for(ranks))
      for (const Case& one : support::cases_for(ranks, count, 0)) {
        INFO(one.name());
        const std::int64_t time = simulated(one, machine, topology);
        const std::int64_t rounding = 2 * ranks;
        CHECK(time <= closed_form(one) + rounding);
        CHECK(time >= least_time(one) - rounding);
      }
}

TEST_CASE("closed form: Sends that wait for their Recvs, and overheads, make nothing faster",
          "[simulation]") {
  // An overhead of 3 us at either end is latency to the closed forms. Where a rank has one partner
  // at a time, and chunks are even, it is nothing else.
  const topology::Topology topology = a_star();
  const Time latency{kLatency + 6 * kMicrosecond};
  for (const std::uint64_t window : {std::uint64_t{0}, std::uint64_t{1} << 40}) {
    const cost::Machine machine = a_machine(window, 3 * kMicrosecond);
    for (std::int32_t ranks = 1; ranks <= 17; ++ranks)
      for (const Case& one :
           support::cases_for(ranks, 1000 * static_cast<std::uint64_t>(ranks), 0)) {
        INFO(one.name() << ", window " << window);
        const std::int64_t time = simulated(one, machine, topology);
        const std::int64_t rounding = 2 * ranks;
        if (one.algorithm != Algorithm::Hierarchical || group_sizes(one.operation).empty())
          CHECK(time >= closed_form(one, latency) - rounding);
        const bool in_pairs =
            one.algorithm == Algorithm::Ring || one.algorithm == Algorithm::Torus ||
            (is_power_of_two(ranks) && (one.algorithm == Algorithm::HalvingDoubling ||
                                        one.algorithm == Algorithm::RecursiveDoubling));
        if (in_pairs) CHECK(time <= closed_form(one, latency) + rounding);
      }
  }
}

}  // namespace lockstep::sim
