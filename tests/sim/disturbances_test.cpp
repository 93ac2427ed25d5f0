// SPDX-License-Identifier: Apache-2.0
// What disturbs a run costs what its closed form says.
#include <catch2/catch.hpp>
#include <cmath>

#include "models/collectives/algorithm.h"
#include "tests/sim/scenario.h"

namespace lockstep::sim {
namespace {

using Traffic = Disturbances::Traffic;
using Outage = Disturbances::Outage;

/// The links of star(n): host h to the switch is 2 h, back 2 h + 1.
topology::Topology without_latency(topology::Topology topology) {
  for (topology::Link& link : topology.links)
    link.latency = Time{};
  return topology;
}

/// Every rank computes `milliseconds`, then all reduce `count` elements.
Schedule training(std::int32_t ranks, std::uint64_t count) {
  collectives::Operation operation;
  operation.ranks = ranks;
  operation.data = {0, 0, count};
  Schedule schedule = collectives::make_schedule(collectives::Algorithm::Ring, operation);
  std::vector<std::vector<Step>> computations(static_cast<std::size_t>(ranks), {compute(0)});
  schedule.fragments.insert(
      schedule.fragments.begin(),
      {"compute", -1, std::make_shared<schedule::StepList>(std::move(computations)), {}});
  schedule.fragments[1].after = {{0}};
  return schedule;
}

/// One message of 1 MB, 1 ms alone at 1 GB/s.
Schedule one_message() {
  return listed({{send(1, 250'000)}, {receive(0, 250'000)}});
}

cost::Machine computing_machine() {
  cost::Machine machine = free_machine();
  set_compute(machine);
  return machine;
}

double mean_iteration(const SimulatedRun& run, Rank rank = 0) {
  const auto& iterations = run.iterations[static_cast<std::size_t>(rank)];
  return (iterations.back().end - iterations.front().start).seconds() /
         static_cast<double>(iterations.size());
}

}  // namespace

TEST_CASE("disturbances: a straggler of factor f costs f - 1 computations", "[disturbances]") {
  // 30 ms, then ring over 4 ranks: 6 rounds of 20 us and 1/4 of 4 MB at 1 GB/s.
  const cost::Machine machine = computing_machine();
  const topology::Topology network = star(4);
  const std::int64_t reduce = 6 * (20 * kMicrosecond + kMillisecond);
  for (const Fidelity fidelity : kBoth)
    for (const double factor : {1.0, 1.5, 4.0}) {
      Options options{.fidelity = fidelity};
      options.disturbances.stragglers = {{.rank = 2, .factor = factor}};
      const SimulatedRun result =
          run(training(4, 1'000'000), cost_model(machine, 4, {30}), network, options);
      const auto compute = static_cast<std::int64_t>(factor * 30) * kMillisecond;
      CHECK(std::abs(last_end(result) - compute - reduce) <= 10);
      CHECK(result.iterations[2][0].compute.picoseconds == compute);
      CHECK(result.iterations[0][0].compute.picoseconds == 30 * kMillisecond);
    }
}

TEST_CASE("disturbances: random stragglers are waited for by all", "[disturbances]") {
  // An iteration takes f times as long if any of p ranks is drawn: 1 + (f - 1) (1 - (1 - q)^p).
  // 2,000 iterations: the standard error is (f - 1) sqrt(P (1 - P) / 2000) < 0.034.
  const cost::Machine machine = computing_machine();
  for (const std::int32_t ranks : {1, 4}) {
    Options options{.iterations = 2000, .seed = 5};
    for (Rank rank = 0; rank < ranks; ++rank)
      options.disturbances.stragglers.push_back({rank, 4, 0.1});
    // Each rank has to hear from all others: messages without bytes nor time.
    const SimulatedRun result = run(training(ranks, 1), cost_model(machine, ranks, {1}),
                                    without_latency(star(ranks)), options);
    const double any = 1 - std::pow(0.9, ranks);
    CHECK(mean_iteration(result) == Approx(1e-3 * (1 + 3 * any)).margin(1e-3 * 4 * 0.034));
    options.seed = 6;
    CHECK(mean_iteration(run(training(ranks, 1), cost_model(machine, ranks, {1}),
                             without_latency(star(ranks)), options)) != mean_iteration(result));
  }
}

TEST_CASE("disturbances: half of every link doubles the time without latency", "[disturbances]") {
  const cost::Machine machine = free_machine();
  const topology::Topology network = without_latency(star(5));
  for (const collectives::Algorithm algorithm : collectives::all_algorithms()) {
    collectives::Operation operation;
    operation.ranks = 5;
    operation.data = {0, 0, 1'000'003};
    const Schedule schedule = collectives::make_schedule(algorithm, operation);
    const SimulatedRun alone = run(schedule, cost_model(machine, 5), network, Fidelity::Flow);
    Options options;
    for (LinkId link = 0; link < std::ssize(network.links); ++link)
      options.disturbances.traffic.push_back({.link = link, .share = 0.5});
    const SimulatedRun shared = run(schedule, cost_model(machine, 5), network, options);
    INFO(collectives::name_of(algorithm));
    CHECK(std::abs(last_end(shared) - 2 * last_end(alone)) <= 100);
    CHECK(shared.link_bytes == alone.link_bytes);
  }
}

TEST_CASE("disturbances: traffic on one link adds up, and comes and goes", "[disturbances]") {
  const topology::Topology network = without_latency(star(2));
  const cost::Machine machine = free_machine();
  Options options;
  options.disturbances.traffic = {{.link = 0, .share = 0.5}, {.link = 0, .share = 0.25}};
  CHECK(last_end(run(one_message(), cost_model(machine, 2), network, options)) == 4 * kMillisecond);
  // Of 3 s at full rate, 80 % is gone for a third of the time: 1 / (1 - 0.8 / 3) times as long.
  // Some 1,360 turns on and off of 1 and 2 ms: the standard error is about 0.8 %.
  options.disturbances.traffic = {
      {.link = 0, .share = 0.8, .on_seconds = 1e-3, .off_seconds = 2e-3}};
  options.iterations = 3000;
  const SimulatedRun by_turns = run(one_message(), cost_model(machine, 2), network, options);
  CHECK(static_cast<double>(last_end(by_turns)) * 1e-12 == Approx(3 / (1 - 0.8 / 3)).epsilon(0.03));
  CHECK(same(by_turns, run(one_message(), cost_model(machine, 2), network, options)));
  options.seed = 1;
  CHECK_FALSE(same(by_turns, run(one_message(), cost_model(machine, 2), network, options)));
}

TEST_CASE("disturbances: a message stands still while its link is out", "[disturbances]") {
  const cost::Machine machine = free_machine();
  const topology::Topology network = without_latency(star(2));
  const auto end = [&](const Outage& outage) {
    Options options;
    options.disturbances.outages = {outage};
    return last_end(run(one_message(), cost_model(machine, 2), network, options));
  };
  const auto out = [](LinkId link, std::int64_t from, std::int64_t until) {
    return Outage{.link = link, .from = Time{from}, .until = Time{until}};
  };
  // From 0.25 ms on for 7 ms; from the beginning; after the end; another link.
  CHECK(end(out(0, kMillisecond / 4, kMillisecond / 4 + 7 * kMillisecond)) == 8 * kMillisecond);
  CHECK(end(out(3, 0, 2 * kMillisecond)) == 3 * kMillisecond);
  CHECK(end(out(0, 5 * kMillisecond, 9 * kMillisecond)) == kMillisecond);
  CHECK(end(out(1, 0, 2 * kMillisecond)) == kMillisecond);
}

TEST_CASE("disturbances: a rank that is out ends what it has begun and starts nothing",
          "[disturbances]") {
  // Computations of 2 ms, 3 ms; rank 1 is out from 1 ms until 10 ms: it ends the first one at 2
  // ms and begins the second one at 10 ms. Rank 0 waits for its message, which has no bytes.
  const cost::Machine machine = computing_machine();
  const Schedule schedule =
      listed({{receive(1, 0)}, {compute(0), after(compute(1), {0}), after(send(0, 0), {1})}});
  for (const std::int64_t until : {std::int64_t{2}, std::int64_t{10}}) {
    Options options;
    options.disturbances.outages = {
        {.rank = 1, .from = Time{kMillisecond}, .until = Time{until * kMillisecond}}};
    const SimulatedRun result =
        run(schedule, cost_model(machine, 2, {2, 3}), without_latency(star(2)), options);
    CHECK(end_of(result, 1, 0) == 2 * kMillisecond);
    CHECK(end_of(result, 1, 1) == (until + 3) * kMillisecond);
    CHECK(end_of(result, 0, 0) == (until + 3) * kMillisecond);
  }
}

}  // namespace lockstep::sim
