// SPDX-License-Identifier: Apache-2.0
// Progress against a slow model of its contract.
#include "models/schedule/progress.h"

#include <catch2/catch.hpp>

#include "models/collectives/algorithm.h"
#include "models/schedule/written_steps.h"
#include "tests/models/progress_model.h"
#include "tests/support/random_schedule.h"

namespace lockstep::schedule {
namespace {

/// One iteration of a rank: starts and completes steps at random, and compares each answer with
/// the model's.
void check_iteration(Progress& progress, const Schedule& schedule, Random& random) {
  Model model(schedule, progress.rank());
  std::vector<StartedStep> started;
  for (;;) {
    REQUIRE(progress.done() == model.is_done());
    const auto lane = static_cast<Lane>(random.below(kLanes));
    if (!started.empty() && random.below(2) == 0) {
      const std::size_t which = random.below(started.size());
      const StartedStep step = started[which];
      REQUIRE(*step.step == model.step({step.fragment, step.index}));
      progress.complete(step);
      model.state({step.fragment, step.index}) = Model::State::Complete;
      started.erase(started.begin() + static_cast<std::ptrdiff_t>(which));
      continue;
    }
    const std::vector<Model::Place> ready = model.ready(lane);
    const StartedStep next = progress.next(lane);
    REQUIRE(static_cast<bool>(next) == !ready.empty());
    if (next) {
      REQUIRE(next.fragment == ready.front().fragment);
      REQUIRE(next.index == ready.front().index);
      REQUIRE(*next.step == model.step(ready.front()));
      model.state(ready.front()) = Model::State::Started;
      started.push_back(next);
    } else if (started.empty()) {
      std::size_t others = 0;
      for (int l = 0; l < kLanes; ++l)
        others += model.ready(static_cast<Lane>(l)).size();
      if (others == 0) break;  // nothing can ever happen again
    }
  }
  REQUIRE(progress.done());
  REQUIRE(model.is_done());
}

/// A schedule of one rank whose fragments are written by hand.
Schedule one_rank(std::vector<WrittenProgram> programs) {
  Schedule schedule;
  schedule.buffers = {{.name = "data", .count = 8}};
  for (WrittenProgram& program : programs) {
    Fragment& fragment = schedule.fragments.emplace_back();
    fragment.name = "fragment " + std::to_string(schedule.fragments.size() - 1);
    fragment.steps = std::make_shared<WrittenSteps>(std::vector{std::move(program)});
  }
  return schedule;
}

Step compute(std::int32_t work) {
  return {.verb = Verb::Compute, .lane = Lane::Compute, .target = work};
}

}  // namespace

TEST_CASE(
    "progress: offers just the steps that the rules allow, least first, in any order of "
    "completions, iteration after iteration",
    "[schedule][progress]") {
  constexpr std::uint64_t kSeed = 20240611;
  for (std::uint64_t trial = 0; trial < 1500; ++trial) {
    INFO("seed " << kSeed << ", trial " << trial);
    Random random(kSeed, trial);
    const Schedule schedule = support::random_schedule(random, 3);
    const auto rank = static_cast<Rank>(random.below(3));
    Progress progress(schedule, rank);
    for (int iteration = 0; iteration < 3; ++iteration) {
      if (iteration > 0) progress.restart();
      check_iteration(progress, schedule, random);
    }
  }
}

TEST_CASE("progress: holds for the all-reduces too", "[schedule][progress]") {
  constexpr std::uint64_t kSeed = 7;
  for (const collectives::Algorithm algorithm : collectives::all_algorithms())
    for (std::int32_t ranks = 1; ranks <= 5; ++ranks) {
      INFO("seed " << kSeed << ", " << name_of(algorithm) << ", " << ranks << " ranks");
      const Schedule schedule = collectives::all_reduce_schedule(algorithm, ranks, 9, 2);
      Random random(kSeed, static_cast<std::uint64_t>(ranks));
      for (Rank rank = 0; rank < ranks; ++rank) {
        Progress progress(schedule, rank);
        check_iteration(progress, schedule, random);
      }
    }
}

TEST_CASE("progress: a schedule without steps is done at once, again and again",
          "[schedule][progress]") {
  SECTION("no fragment") {
    const Schedule schedule = one_rank({});
    Progress progress(schedule, 0);
    CHECK(progress.done());
    progress.restart();
    CHECK(progress.done());
    CHECK_FALSE(progress.next(Lane::Compute));
  }
  SECTION("fragments of no rounds, of empty rounds and of rounds that do nothing, in a chain") {
    Schedule schedule =
        one_rank({{{0, 3, 1}, {}}, {{4, 0, 2}, {}}, {{2, 2, 1}, std::vector<Step>(4)}});
    schedule.fragments[1].after = {{0}};
    schedule.fragments[2].after = {{1}, {0}};
    Progress progress(schedule, 0);
    CHECK(progress.done());
    progress.restart();
    CHECK(progress.done());
  }
}

TEST_CASE("progress: a fragment runs when it is due, and nobody waits for it otherwise",
          "[schedule][progress]") {
  Schedule schedule = one_rank({{{1, 1, 1}, {compute(0)}},
                                {{1, 1, 1}, {compute(1)}},
                                {{1, 1, 1}, {compute(2)}},
                                {{1, 1, 1}, {compute(3)}}});
  schedule.fragments[1].when = {.end = 2};                // iterations 0, 1
  schedule.fragments[2].when = {.first = 2, .every = 3};  // 4, 7, 10
  schedule.fragments[1].after = {{0}};
  schedule.fragments[2].after = {{0}};
  schedule.fragments[3].after = {{1}, {2, 0}};
  CHECK(different_iterations(schedule) == std::vector<std::int32_t>{0, 2, 4});
  for (const std::int32_t first : {0, 3}) {
    Progress progress(schedule, 0, first);
    for (std::int32_t iteration = first; iteration < 9; ++iteration) {
      if (iteration > first) progress.restart();
      std::vector<std::int32_t> expected{0};
      if (iteration < 2) expected.push_back(1);
      if (iteration == 4 || iteration == 7) expected.push_back(2);
      expected.push_back(3);
      std::vector<std::int32_t> computed, alone;
      while (const StartedStep step = progress.next(Lane::Compute)) {
        computed.push_back(step.step->target);
        progress.complete(step);
      }
      CHECK(progress.done());
      const bool waits = iteration < 2 || iteration == 4 || iteration == 7;
      if (!waits) std::sort(computed.begin(), computed.end());
      CHECK(computed == expected);
      const Schedule running = in_iteration(schedule, iteration);
      for (const Fragment& fragment : running.fragments)
        for (const Step& step : steps_of(fragment, 0))
          alone.push_back(step.target);
      CHECK(alone == expected);
    }
  }
}

TEST_CASE("progress: a fragment waits for steps and wholes of others, empty ones included",
          "[schedule][progress]") {
  Schedule schedule = one_rank({{{2, 1, 2}, {compute(0), compute(1)}},
                                {{0, 0, 1}, {}},
                                {{1, 1, 1}, {compute(2)}},
                                {{1, 1, 1}, {compute(3)}}});
  schedule.fragments[1].after = {{0, 1}};  // step 1 of fragment 0
  schedule.fragments[2].after = {{1}, {0, 0}, {0, 0}};
  schedule.fragments[3].after = {{0}, {2}};
  Progress progress(schedule, 0);
  for (int iteration = 0; iteration < 2; ++iteration) {
    if (iteration > 0) progress.restart();
    const StartedStep first = progress.next(Lane::Compute);
    const StartedStep second = progress.next(Lane::Compute);
    REQUIRE(first.step->target == 0);
    REQUIRE(second.step->target == 1);
    CHECK_FALSE(progress.next(Lane::Compute));
    progress.complete(second);
    CHECK_FALSE(progress.next(Lane::Compute));  // fragment 2 still waits for step 0
    progress.complete(first);
    const StartedStep third = progress.next(Lane::Compute);
    REQUIRE(third);
    CHECK(third.step->target == 2);
    CHECK_FALSE(progress.next(Lane::Compute));
    progress.complete(third);
    const StartedStep fourth = progress.next(Lane::Compute);
    REQUIRE(fourth);
    CHECK(fourth.step->target == 3);
    CHECK_FALSE(progress.done());
    progress.complete(fourth);
    CHECK(progress.done());
  }
}

TEST_CASE("progress: a step that has been started stays where it is until it is complete",
          "[schedule][progress]") {
  // Ten rounds, two in flight, each step free: the first one is held while others come and go.
  std::vector<Step> steps;
  for (int i = 0; i < 10; ++i)
    steps.push_back(compute(i));
  const Schedule schedule = one_rank({{{10, 1, 2}, steps}});
  Progress progress(schedule, 0);
  const StartedStep first = progress.next(Lane::Compute);
  const StartedStep second = progress.next(Lane::Compute);
  CHECK_FALSE(progress.next(Lane::Compute));  // two rounds are in flight
  progress.complete(second);
  CHECK_FALSE(progress.next(Lane::Compute));  // round 2 waits for round 0, which is not complete
  CHECK(first.step->target == 0);
  progress.complete(first);
  CHECK(progress.next(Lane::Compute).step->target == 2);
  CHECK(progress.next(Lane::Compute).step->target == 3);
}

}  // namespace lockstep::schedule
