// SPDX-License-Identifier: Apache-2.0
// Fragments of their own pace, and waiting for earlier iterations: Progress does with a schedule
// what it would do with all iterations written out one behind the other.
#include <algorithm>
#include <catch2/catch.hpp>
#include <utility>

#include "models/schedule/progress.h"
#include "models/schedule/spanning.h"
#include "tests/models/progress_model.h"
#include "tests/support/random_schedule.h"

namespace lockstep::schedule {
namespace {

/// Random fragments some of which have a pace of their own, and random waits for the same and for
/// earlier iterations.
Schedule random_paces(Random& random) {
  Schedule schedule = support::random_schedule(random, 2);
  const auto count = static_cast<std::uint32_t>(schedule.fragments.size());
  for (Fragment& fragment : schedule.fragments)
    fragment.own_pace = random.below(2) == 0;
  for (std::uint32_t f = 0; f < count; ++f) {
    Fragment& fragment = schedule.fragments[f];
    for (After& after : fragment.after)
      if (fragment.own_pace || schedule.fragments[after.fragment].own_pace)
        after.step = After::kWhole;
    for (std::uint64_t n = random.below(3); n > 0; --n)
      fragment.after.push_back({static_cast<std::uint32_t>(random.below(count)), After::kWhole,
                                1 + static_cast<std::int32_t>(random.below(2))});
  }
  return schedule;
}

/// Both at one time: Progress with the schedule, the model with all iterations of it.
class Comparison {
 public:
  Comparison(const Schedule& schedule, Rank rank, std::int32_t iterations)
      : schedule_(schedule),
        all_(spanning(schedule, iterations)),
        iterations_(iterations),
        progress_(schedule, rank),
        model_(all_, rank) {}

  /// `runs`: into how many calls of run_until the iterations are cut.
  void run(Random& random, std::int32_t runs) {
    for (std::int32_t r = 0; r < runs; ++r) {
      const std::int32_t end = std::max(iterations_ * (r + 1) / runs, 1);
      progress_.run_until(end);
      while (end > iteration_) {
        if (r + 1 == runs) compare();
        if (progress_.done() ? !begin_next(end) : !act(random)) break;
      }
      REQUIRE(progress_.done());
      while (!started_.empty() || !progress_.finished())
        REQUIRE(act(random));
    }
    CHECK(progress_.finished());
    CHECK(model_.is_done());
  }

 private:
  bool begin_next(std::int32_t end) {
    if (iteration_ + 1 >= end) return false;
    progress_.restart();
    ++iteration_;
    return true;
  }

  Model::Place in_model(const StartedStep& step) const {
    return {static_cast<std::uint32_t>(step.iteration) *
                    static_cast<std::uint32_t>(schedule_.fragments.size() + 1) +
                step.fragment,
            step.index};
  }

  /// The same steps are ready. All of them are started to see which there are.
  void compare() {
    if (progress_.done() && iteration_ + 1 < iterations_) return;
    for (int l = 0; l < kLanes; ++l) {
      std::vector<Model::Place> expected = model_.ready(static_cast<Lane>(l));
      while (!expected.empty()) {
        const StartedStep next = progress_.next(static_cast<Lane>(l));
        REQUIRE(next);
        begin(next);
        const auto found = std::find(expected.begin(), expected.end(), in_model(next));
        REQUIRE(found != expected.end());
        expected = model_.ready(static_cast<Lane>(l));
      }
      REQUIRE_FALSE(progress_.next(static_cast<Lane>(l)));
    }
  }

  void begin(const StartedStep& step) {
    REQUIRE(*step.step == model_.step(in_model(step)));
    model_.state(in_model(step)) = Model::State::Started;
    started_.push_back(step);
  }

  bool act(Random& random) {
    if (started_.empty() || random.below(2) == 0)
      for (int l = 0; l < kLanes; ++l)
        if (const StartedStep next = progress_.next(static_cast<Lane>(l))) {
          begin(next);
          return true;
        }
    if (started_.empty()) return false;
    const std::size_t which = random.below(started_.size());
    const StartedStep step = started_[which];
    started_.erase(started_.begin() + static_cast<std::ptrdiff_t>(which));
    progress_.complete(step);
    model_.state(in_model(step)) = Model::State::Complete;
    return true;
  }

  const Schedule& schedule_;
  Schedule all_;
  std::int32_t iterations_;
  Progress progress_;
  Model model_;
  std::int32_t iteration_ = 0;
  std::vector<StartedStep> started_;
};

}  // namespace

TEST_CASE("own pace: the steps that are ready are those of all iterations written out",
          "[schedule][progress]") {
  constexpr std::uint64_t kSeed = 20261125;
  for (std::uint64_t trial = 0; trial < 600; ++trial) {
    INFO("seed " << kSeed << ", trial " << trial);
    Random random(kSeed, trial);
    const Schedule schedule = random_paces(random);
    Comparison(schedule, static_cast<Rank>(random.below(2)), 4)
        .run(random, 1 + static_cast<std::int32_t>(random.below(2)));
  }
}

TEST_CASE("own pace: nobody goes further than it is told", "[schedule][progress]") {
  Schedule schedule;
  const std::vector<std::vector<Step>> one{
      {{.verb = Verb::Compute, .lane = Lane::Compute, .target = 7}}};
  schedule.fragments = {{"worker", -1, std::make_shared<StepList>(one), {}},
                        {"server", -1, std::make_shared<StepList>(one), {}}};
  schedule.fragments[1].own_pace = true;
  Progress progress(schedule, 0);
  progress.run_until(3);
  const StartedStep worker = progress.next(Lane::Compute);
  for (std::int32_t i = 0; i < 3; ++i) {
    const StartedStep server = progress.next(Lane::Compute);
    REQUIRE(server);
    CHECK(server.fragment == 1);
    CHECK(server.iteration == i);
    progress.complete(server);
  }
  CHECK_FALSE(progress.next(Lane::Compute));
  CHECK_FALSE(progress.done());
  progress.complete(worker);
  CHECK(progress.done());
  CHECK(progress.finished());
  progress.run_until(4);
  CHECK_FALSE(progress.finished());
}

}  // namespace lockstep::schedule
