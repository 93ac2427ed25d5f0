// SPDX-License-Identifier: Apache-2.0
// How fast ranks are that do not wait for the slowest, or not at once.
#include <catch2/catch.hpp>
#include <cmath>

#include "models/training/serving.h"
#include "tests/sim/scenario.h"

namespace lockstep::sim {
namespace {

constexpr std::int32_t kRanks = 4;
constexpr double kCompute = 30e-3;
/// There and back: twice 20 us of links and 1000 floats, a rank's shard, at 1 GB/s.
constexpr double kExchange = 2 * (20e-6 + 4e-6);

/// Every rank computes; then its gradients go to the servers, and parameters come back.
Schedule serving(const training::Job& job, const std::vector<training::Bucket>& buckets) {
  Schedule schedule;
  schedule.name = "serving";
  schedule.ranks = job.ranks;
  for (const char* name : {"gradients", "parameters", "scratch", "sums", "micro", "served"})
    schedule.buffers.push_back({.name = name, .count = 1u << 20});
  schedule.buffers.back().commutes = true;
  schedule.fragments = {
      {"compute",
       -1,
       std::make_shared<schedule::StepList>(std::vector<std::vector<Step>>{{compute(0)}}),
       {}}};
  training::Serving serving(job, buckets, schedule);
  serving.add(0, {0}, {.apply = 1, .hand_out = 1});
  return schedule;
}

/// By rank, the mean iteration in seconds; rank 2 computes `factor` times as long.
std::vector<double> iterations(std::int32_t staleness, double factor, std::int32_t count,
                               Fidelity fidelity) {
  training::Job job;
  job.ranks = kRanks;
  job.staleness = staleness;
  cost::Machine machine = free_machine();
  set_compute(machine);
  Options options{.fidelity = fidelity, .iterations = count};
  options.disturbances.stragglers = {{.rank = 2, .factor = factor}};
  const SimulatedRun result = run(
      serving(job, {{.first = 0, .count = 4000}}),
      cost_model(machine, kRanks, {static_cast<int>(kCompute * 1e3), 0}), star(kRanks), options);
  std::vector<double> seconds;
  for (const auto& of_rank : result.iterations)
    seconds.push_back((of_rank.back().end - of_rank.front().start).seconds() / count);
  return seconds;
}

}  // namespace

TEST_CASE("staleness 0: every rank is as fast as the slowest", "[staleness]") {
  for (const Fidelity fidelity : kBoth)
    for (const double factor : {1.0, 3.0})
      for (const double seconds : iterations(0, factor, 20, fidelity))
        CHECK(seconds == Approx(factor * kCompute + kExchange).epsilon(1e-3));
}

TEST_CASE("staleness: without a bound the rate is the sum of the ranks' rates", "[staleness]") {
  for (const Fidelity fidelity : kBoth)
    for (const double factor : {1.0, 3.0, 10.0}) {
      const std::vector<double> seconds =
          iterations(training::kUnboundedStaleness, factor, 20, fidelity);
      double rate = 0, expected = 0;
      for (Rank rank = 0; rank < kRanks; ++rank) {
        const double own = (rank == 2 ? factor : 1) * kCompute + kExchange;
        CHECK(seconds[static_cast<std::size_t>(rank)] == Approx(own).epsilon(1e-3));
        rate += 1 / seconds[static_cast<std::size_t>(rank)];
        expected += 1 / own;
      }
      CHECK(rate == Approx(expected).epsilon(1e-3));
    }
}

TEST_CASE("staleness S: others gain S of the slowest rank's iterations, and no more",
          "[staleness]") {
  // Parameters of the n-th iteration come when the slowest rank's gradients of iteration n − S are
  // applied: others have finished n iterations when it has finished n − S, unless they need longer.
  constexpr std::int32_t kCount = 30;
  for (const Fidelity fidelity : kBoth)
    for (const std::int32_t staleness : {1, 2, 5, 25})
      for (const double factor : {1.0, 3.0}) {
        const std::vector<double> seconds = iterations(staleness, factor, kCount, fidelity);
        const double slowest = factor * kCompute + kExchange;
        const double own = kCompute + kExchange;
        const double bounded = (kCount - staleness) * slowest / kCount;
        CAPTURE(staleness, factor);
        for (Rank rank = 0; rank < kRanks; ++rank)
          CHECK(seconds[static_cast<std::size_t>(rank)] ==
                Approx(rank == 2 ? slowest : std::max(own, bounded)).epsilon(1e-3));
      }
}

}  // namespace lockstep::sim
