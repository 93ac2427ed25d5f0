// SPDX-License-Identifier: Apache-2.0
// Quotas of processors, and processors that hosts share.
#include <catch2/catch.hpp>
#include <cmath>

#include "models/cost/turns.h"
#include "tests/sim/scenario.h"

namespace lockstep::sim {

namespace {

const double kTick = cost::kKernelTick.seconds();

topology::Topology host_with_quota(double cores, double period) {
  topology::Topology topology = one_host();
  topology.hosts[0].cores = cores;
  topology.hosts[0].quota_period = Time::from_seconds(period);
  return topology;
}

/// Seconds that works of so many milliseconds take one after the other.
double seconds_of(const topology::Topology& topology, const std::vector<int>& milliseconds,
                  std::uint64_t seed) {
  cost::Machine machine = free_machine();
  set_compute(machine);
  machine.cores = 2;
  std::vector<Step> steps;
  for (std::int32_t work = 0; work < std::ssize(milliseconds); ++work) {
    steps.push_back(compute(work));
    if (work > 0) steps.back().wait_for(static_cast<schedule::StepIndex>(work - 1));
  }
  const SimulatedRun result = run(listed({steps}), cost_model(machine, 1, milliseconds), topology,
                                  Options{.fidelity = Fidelity::Flow, .seed = seed});
  return Time{last_end(result)}.seconds();
}

double mean_seconds(double cores, double period, const std::vector<int>& milliseconds) {
  constexpr int kSeeds = 400;
  double sum = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed)
    sum += seconds_of(host_with_quota(cores, period), milliseconds, seed);
  return sum / kSeeds;
}

}  // namespace

TEST_CASE("quotas: long work gets its share, and never more than it owes at the end", "[quotas]") {
  for (const double period : {0.005, 0.1})
    for (const double cores : {0.1, 0.2, 0.37, 0.5, 0.8})
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        CAPTURE(period, cores, seed);
        const double seconds = seconds_of(host_with_quota(cores, period), {2000}, seed);
        // Nothing of a quota is lost while there is work: what it has run is what periods paid for,
        // but for the first one and for a tick's debt.
        CHECK(seconds <= 2 / cores + period);
        CHECK(seconds >= (2 - cores * period - kTick) / cores - period);
      }
}

TEST_CASE("quotas: a host with all the processors it asks for pauses once at most", "[quotas]") {
  // When its first tick comes ahead of a period that has not paid yet.
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    CHECK(seconds_of(host_with_quota(1, 0.005), {500}, seed) <= 0.5 + 0.005);
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    CHECK(seconds_of(host_with_quota(2, 0.005), {500}, seed) == Approx(0.5));
}

TEST_CASE("quotas: work within a period's share runs at full speed", "[quotas]") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    CHECK(seconds_of(host_with_quota(0.4, 0.005), {1}, seed) == Approx(0.001));
    CHECK(seconds_of(host_with_quota(0.4, 0.1), {39}, seed) == Approx(0.039));
  }
}

TEST_CASE("quotas: ticks and periods that come by chance, against the kernel", "[quotas]") {
  // Milliseconds that a thread of a control group took for so much work after it had slept (Linux
  // 6.18, CONFIG_HZ=250, period of 5 ms, means of 40). Work for w at a constant rate would take w ÷
  // cores: 120, 60, 30 ms for the first three.
  struct Known {
    double cores;
    int work;
    double measured;
  };
  for (const auto& [cores, work, measured] :
       {Known{0.2, 24, 112.3}, Known{0.2, 12, 49.6}, Known{0.2, 6, 24.9}, Known{0.32, 24, 68.1},
        Known{0.32, 12, 31.3}, Known{0.4, 24, 57.0}, Known{0.4, 12, 25.8}, Known{0.8, 24, 26.2},
        Known{0.8, 12, 12.1}}) {
    const double seconds = mean_seconds(cores, 0.005, {work});
    CAPTURE(cores, work, measured, 1e3 * seconds);
    const double error = std::abs(1e3 * seconds - measured);
    CHECK(error < 4);
    CHECK(error < std::abs(work / cores - measured));  // nearer than a constant rate
  }
}

TEST_CASE("quotas: hosts that share a processor take turns on it", "[quotas]") {
  cost::Machine machine = free_machine();
  set_compute(machine);
  const Schedule schedule = listed({{compute(0)}, {compute(1)}, {compute(1)}});
  topology::Topology hosts = star(3);
  const auto ends = [&] {
    const SimulatedRun result =
        run(schedule, cost_model(machine, 3, {100, 400}), hosts, Fidelity::Flow);
    return std::pair(end_of(result, 0, 0) / kMillisecond, last_end(result) / kMillisecond);
  };
  CHECK(ends() == std::pair(std::int64_t{100}, std::int64_t{400}));
  // A third each until 300 ms, then a half: 300 of 400 ms are left.
  hosts.processors = 1;
  CHECK(ends() == std::pair(std::int64_t{300}, std::int64_t{900}));
  // Two thirds each until 150 ms, then one each.
  hosts.processors = 2;
  CHECK(ends() == std::pair(std::int64_t{150}, std::int64_t{450}));
}

TEST_CASE("quotas: while a host pauses the kernel sends and receives for it", "[quotas]") {
  // A message that has been handed over arrives in its time; the next one waits for the thread.
  cost::Machine machine = free_machine();
  set_compute(machine);
  machine.cores = 2;
  machine.message = {.send_overhead_seconds = 1e-6};
  topology::Topology hosts = star(2);
  for (topology::Host& host : hosts.hosts) {
    host.cores = 0.1;
    host.quota_period = Time::from_seconds(0.05);
  }
  // 1 MB takes 1 ms; computing for 30 ms takes several pauses of some 40 ms.
  const Schedule schedule = listed({{compute(0), send(1, 250'000), after(send(1, 250'000), {0})},
                                    {receive(0, 250'000), receive(0, 250'000)}});
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const SimulatedRun result = run(schedule, cost_model(machine, 2, {30}), hosts,
                                    Options{.fidelity = Fidelity::Flow, .seed = seed});
    CAPTURE(seed);
    CHECK(end_of(result, 1, 0) < 2 * kMillisecond);
    CHECK(end_of(result, 0, 0) > 200 * kMillisecond);
    CHECK(end_of(result, 1, 1) > end_of(result, 0, 0));
  }
}

}  // namespace lockstep::sim
