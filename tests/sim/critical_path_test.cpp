// SPDX-License-Identifier: Apache-2.0
// The critical path of a simulated iteration: its pieces add up to it exactly, and each is there.
#include "models/results/critical_path.h"

#include <catch2/catch.hpp>

#include "models/base/random.h"
#include "models/collectives/algorithm.h"
#include "models/results/explanation.h"
#include "models/results/trace_steps.h"
#include "tests/sim/scenario.h"

namespace lockstep::sim {
namespace {

using results::PathSegment;
using Kind = PathSegment::Kind;

struct Scene {
  Schedule schedule;
  topology::Topology topology;
  std::vector<HostId> host_of_rank;
  SimulatedRun run;

  /// Of the rank that ends the last iteration last.
  Rank last() const {
    Rank rank = 0;
    for (Rank other = 0; other < schedule.ranks; ++other)
      if (figures(other).end > figures(rank).end) rank = other;
    return rank;
  }
  const results::IterationFigures& figures(Rank rank) const {
    return run.iterations[static_cast<std::size_t>(rank)].back();
  }
  std::vector<PathSegment> path() const {
    return results::critical_path(schedule, run.spans, last(), figures(last()).start,
                                  figures(last()).end);
  }
};

Scene simulated(const Schedule& schedule, const cost::CostModel& cost,
                const topology::Topology& topology, const Options& options) {
  return {schedule, topology,
          topology::place(topology, schedule.ranks, {topology::PlacementKind::Scattered, {}}, "t"),
          run(schedule, cost, topology, options)};
}

/// Computations before an all-reduce or two, and after.
Schedule random_schedule(Random& random, std::int32_t ranks) {
  const auto& algorithms = collectives::all_algorithms();
  const collectives::Algorithm algorithm = algorithms[random.below(algorithms.size())];
  collectives::Operation operation;
  operation.ranks = ranks;
  operation.data = {0, 0, 1 + random.below(200'000)};
  operation.segment_elements = random.below(2) * 10'000;
  Schedule schedule = collectives::make_schedule(algorithm, operation);
  const auto computing = [](std::vector<Step> steps) {
    return std::make_shared<schedule::StepList>(std::vector<std::vector<Step>>{std::move(steps)});
  };
  std::vector<schedule::Fragment> fragments{
      {"backward", -1, computing({compute(0), after(compute(1), {0})}), {}}};
  for (std::uint32_t i = 0; i < 2; ++i) {
    operation.stream = static_cast<std::uint8_t>(i * collectives::streams_of(algorithm));
    operation.scratch = {1, 0, collectives::scratch_elements(algorithm, operation.data.count)};
    fragments.push_back(
        {"all-reduce", static_cast<std::int32_t>(i), make_steps(algorithm, operation), {{0, i}}});
    fragments.push_back(
        {"update", static_cast<std::int32_t>(i), computing({compute(2)}), {{1 + 2 * i}}});
  }
  schedule.fragments = fragments;
  return schedule;
}

Scene random_scene(std::uint64_t seed) {
  Random random(seed);
  const auto ranks = static_cast<std::int32_t>(1 + random.below(9));
  cost::Machine machine = free_machine();
  set_compute(machine);
  machine.cores = 2;
  if (random.below(2) == 0) machine.combine_seconds_per_byte = 1e-9;
  machine.loopback_bytes_per_second = 2e9;
  cost::MessageCost& message = machine.message;
  if (random.below(2) == 0) message.send_overhead_seconds = 4e-6;
  if (random.below(2) == 0) message.receive_overhead_seconds = 3e-6;
  if (random.below(2) == 0) message.window_bytes = 1 << 16;
  Options options{.iterations = 2, .warm_up_iterations = 1, .seed = seed};
  options.fidelity = random.below(4) == 0 ? Fidelity::Ideal : Fidelity::Flow;
  options.compute_noise = static_cast<double>(random.below(3)) * 0.1;
  if (random.below(3) == 0) options.disturbances.stragglers = {{0, 3, 1}};
  const auto hosts = static_cast<int>(1 + random.below(static_cast<std::uint64_t>(ranks)));
  return simulated(random_schedule(random, ranks), cost_model(machine, ranks, {1, 2, 1}),
                   star(hosts), options);
}

}  // namespace

TEST_CASE("critical path: its pieces follow one another and add up to the iteration",
          "[explanation]") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Scene scene = random_scene(seed);
    CAPTURE(seed, scene.schedule.name, scene.schedule.ranks);
    const results::IterationFigures& figures = scene.figures(scene.last());
    const std::vector<PathSegment> path = scene.path();
    REQUIRE_FALSE(path.empty());
    CHECK(path.front().start == figures.start);
    CHECK(path.back().end == figures.end);
    Time sum;
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (i > 0) REQUIRE(path[i].start == path[i - 1].end);
      REQUIRE(path[i].start < path[i].end);
      sum += path[i].duration();
      if (path[i].kind == Kind::Wait) continue;
      // It is a piece of a step that was under way then: of a message, of its receiver or sender.
      REQUIRE(std::any_of(scene.run.spans.begin(), scene.run.spans.end(), [&](const auto& span) {
        return (span.rank == path[i].rank || span.rank == path[i].peer) &&
               span.fragment == path[i].fragment && span.step == path[i].step &&
               span.start <= path[i].start && path[i].end <= span.end &&
               (path[i].kind != Kind::Message ||
                results::TraceSteps(scene.schedule).of(span).stream == path[i].stream);
      }));
    }
    CHECK(sum == figures.duration());

    const std::vector<std::string> works{"a", "b", "c"};
    const results::Explanation explanation = results::explain({.schedule = scene.schedule,
                                                               .spans = scene.run.spans,
                                                               .iterations = scene.run.iterations,
                                                               .topology = scene.topology,
                                                               .host_of_rank = scene.host_of_rank,
                                                               .work_names = works},
                                                              1);
    CHECK(explanation.rank == scene.last());
    CHECK(explanation.names.size() == path.size());
    double seconds = 0;
    for (const results::Explanation::Part& part : explanation.parts)
      seconds += part.seconds;
    CHECK(seconds == Approx(figures.duration().seconds()).epsilon(1e-12));
  }
}

TEST_CASE("critical path: it leads through what is slow", "[explanation]") {
  // Rank 1 computes 3 ms, rank 0 1 ms; rank 1 sends 1 MB (1 ms, and 20 us of links) to rank 0,
  // which computes 1 ms more.
  cost::Machine machine = free_machine();
  set_compute(machine);
  const Schedule schedule =
      listed({{compute(0), after(receive(1, 250'000), {0}), after(compute(0), {1})},
              {compute(1), after(send(0, 250'000), {0})}});
  const Scene scene = simulated(schedule, cost_model(machine, 2, {1, 3}), star(2), {});
  const std::vector<PathSegment> path = scene.path();
  REQUIRE(path.size() == 3);
  CHECK((path[0].kind == Kind::Compute && path[0].rank == 1));
  CHECK(path[0].duration() == Time{3 * kMillisecond});
  CHECK((path[1].kind == Kind::Message && path[1].rank == 1 && path[1].peer == 0));
  CHECK(path[1].duration() == Time{kMillisecond + 20 * kMicrosecond});
  CHECK((path[2].kind == Kind::Compute && path[2].rank == 0 && path[2].step == 2));

  const std::vector<std::string> works{"short", "long"};
  const results::Explanation explanation = results::explain({.schedule = schedule,
                                                             .spans = scene.run.spans,
                                                             .iterations = scene.run.iterations,
                                                             .topology = scene.topology,
                                                             .host_of_rank = scene.host_of_rank,
                                                             .work_names = works,
                                                             .gradient_bytes = 1'000'000},
                                                            0);
  CHECK(explanation.names == std::vector<std::string>{"long", "steps", "short"});
  CHECK(explanation.parts[0].what == "computing");
  CHECK(explanation.parts[0].seconds == Approx(4e-3));
  CHECK(explanation.parts[1].what == "messages over host1->switch");
  // 1 MB over the two links, which could have carried 5.02 MB meanwhile.
  REQUIRE(explanation.links.size() == 2);
  for (const results::Explanation::LinkUse& link : explanation.links) {
    double used = 0;
    for (const double share : link.utilisation)
      used += share * explanation.seconds / static_cast<double>(link.utilisation.size()) * 1e9;
    CHECK(used == Approx(1e6));
  }
  // Two hosts: each sends 1 MB at 1 GB/s; both of them 2 MB at 2 GB/s.
  CHECK(explanation.least_network_seconds == Approx(1e-3));
  CHECK(explanation.least_compute_seconds == Approx(3e-3));
}

TEST_CASE("critical path: a Send that waits for its Recv leads to the receiver", "[explanation]") {
  // Without a window. Rank 1 takes its message only after 5 ms of computing.
  cost::Machine machine = free_machine();
  set_compute(machine);
  const Schedule schedule = listed(
      {{send(1, 250'000), after(compute(0), {0})}, {compute(1), after(receive(0, 250'000), {0})}});
  const Scene scene = simulated(schedule, cost_model(machine, 2, {1, 5}), star(2), {});
  const std::vector<PathSegment> path = scene.path();
  REQUIRE(path.size() == 3);
  CHECK((path[0].kind == Kind::Compute && path[0].rank == 1));
  CHECK((path[1].kind == Kind::Message && path[1].rank == 0));
  CHECK((path[2].kind == Kind::Compute && path[2].rank == 0));
}

}  // namespace lockstep::sim
