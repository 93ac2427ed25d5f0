// SPDX-License-Identifier: Apache-2.0
// Schedules that are right, each spoilt in one place: verify must say so, and where.
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <optional>

#include "models/base/random.h"
#include "models/collectives/algorithm.h"
#include "models/schedule/verify.h"
#include "models/schedule/written_steps.h"
#include "tests/support/operations.h"

namespace lockstep::schedule {
namespace {

using support::Case;

/// A schedule of one fragment whose steps can be changed.
struct Editable {
  Schedule schedule;
  Contract contract;
  std::vector<WrittenProgram> programs;  // by rank

  explicit Editable(const Case& one)
      : schedule(make_schedule(one.algorithm, one.operation)),
        contract(contract_of(one.operation)),
        programs(write_out(schedule.fragments[0], schedule.ranks)) {}

  std::vector<Step>& steps(Rank rank) { return programs[static_cast<std::size_t>(rank)].steps; }
  /// Puts a copy of a step into a round of its own at the end, after the step itself.
  StepIndex append_copy(Rank rank, StepIndex index) {
    WrittenProgram& program = programs[static_cast<std::size_t>(rank)];
    const auto appended = static_cast<StepIndex>(program.steps.size());
    Step copy = program.steps[index];
    copy.after_count = 0;
    copy.wait_for(index);
    program.steps.resize(appended + program.shape.steps_per_round);
    program.steps[appended] = copy;
    ++program.shape.rounds;
    return appended;
  }
  std::vector<Violation> violations() {
    schedule.fragments[0].steps = std::make_shared<WrittenSteps>(programs);
    return verify(schedule, contract);
  }
};

struct Place {
  Rank rank;
  StepIndex index;
};

bool is_message(const Step& step) {
  return step.verb == Verb::Send || step.verb == Verb::Recv;
}

/// A random step that `fits`, if there is one.
std::optional<Place> pick(Editable& editable, Random& random,
                          const std::function<bool(const Step&)>& fits) {
  std::vector<Place> places;
  for (Rank rank = 0; rank < editable.schedule.ranks; ++rank)
    for (StepIndex i = 0; i < editable.steps(rank).size(); ++i)
      if (editable.steps(rank)[i].verb != Verb::Nothing && fits(editable.steps(rank)[i]))
        places.push_back({rank, i});
  if (places.empty()) return std::nullopt;
  return places[random.below(places.size())];
}

bool names(const Violation& violation, Place place) {
  return violation.rank == place.rank && violation.fragment == 0 && violation.step == place.index;
}

/// Whether some violation names a message between `rank` and the step's target, in its direction.
bool names_channel(Editable& editable, const std::vector<Violation>& violations, Rank rank,
                   const Step& step) {
  return std::any_of(violations.begin(), violations.end(), [&](const Violation& violation) {
    if (violation.fragment != 0) return false;
    const Step& named = editable.steps(violation.rank)[violation.step];
    if (!is_message(named) || named.stream != step.stream) return false;
    return named.verb == step.verb ? violation.rank == rank && named.target == step.target
                                   : violation.rank == step.target && named.target == rank;
  });
}

std::string all_of(const std::vector<Violation>& violations) {
  std::string text;
  for (const Violation& violation : violations)
    text += violation.message + "\n";
  return text;
}

/// Runs `mutate(editable, random)` on every algorithm and all that it can do, for several ranks,
/// counts and segments.
template <typename Mutate>
void for_mutants(std::uint64_t seed, std::int32_t least_ranks, Mutate mutate) {
  for (const std::int32_t ranks : {2, 3, 4, 5, 6, 8, 13})
    for (const std::uint64_t count : {1, 7, 100})
      for (const std::uint64_t segment : {0, 3}) {
        if (ranks < least_ranks) continue;
        for (const Case& one : support::cases_for(ranks, count, segment))
          for (std::uint64_t trial = 0; trial < 8; ++trial) {
            INFO(one.name() << ", seed " << seed << ", trial " << trial);
            Editable editable(one);
            Random random(seed, trial, count);
            mutate(editable, random);
          }
      }
}

}  // namespace

TEST_CASE("mutants: a dropped message leaves its partner alone", "[verify][mutants]") {
  for_mutants(1, 2, [](Editable& editable, Random& random) {
    const Place place = pick(editable, random, is_message).value();
    const Step dropped = std::exchange(editable.steps(place.rank)[place.index], Step{});
    const std::vector<Violation> violations = editable.violations();
    INFO(all_of(violations));
    CHECK(names_channel(editable, violations, place.rank, dropped));
  });
}

TEST_CASE("mutants: a dropped combination is missing in the sums", "[verify][mutants]") {
  for_mutants(2, 2, [](Editable& editable, Random& random) {
    const auto place =
        pick(editable, random, [](const Step& step) { return step.verb == Verb::Combine; });
    if (!place) return;  // most algorithms have none
    editable.steps(place->rank)[place->index] = Step{};
    const std::vector<Violation> violations = editable.violations();
    INFO(all_of(violations));
    const std::string end = " on rank " + std::to_string(place->rank) + " lacks rank";
    CHECK(std::any_of(violations.begin(), violations.end(), [&](const Violation& violation) {
      return violation.rank == place->rank && violation.message.find(end) != std::string::npos;
    }));
  });
}

TEST_CASE("mutants: a doubled message has no partner", "[verify][mutants]") {
  for_mutants(3, 2, [](Editable& editable, Random& random) {
    const Place place = pick(editable, random, is_message).value();
    const StepIndex copy = editable.append_copy(place.rank, place.index);
    const std::vector<Violation> violations = editable.violations();
    INFO(all_of(violations));
    // It is the last on its channel, so it is the one that is left over.
    CHECK(std::any_of(violations.begin(), violations.end(), [&](const Violation& violation) {
      return names(violation, {place.rank, copy}) &&
             violation.message.find("to match") != std::string::npos;
    }));
  });
}

TEST_CASE("mutants: a doubled sum counts twice", "[verify][mutants]") {
  for_mutants(4, 2, [](Editable& editable, Random& random) {
    const auto place =
        pick(editable, random, [](const Step& step) { return step.verb == Verb::Combine; });
    if (!place) return;
    const StepIndex copy = editable.append_copy(place->rank, place->index);
    const std::vector<Violation> violations = editable.violations();
    INFO(all_of(violations));
    CHECK(std::any_of(violations.begin(), violations.end(), [&](const Violation& violation) {
      return names(violation, {place->rank, copy});
    }));
  });
}

TEST_CASE("mutants: a message to another rank is missed and is too much", "[verify][mutants]") {
  for_mutants(5, 3, [](Editable& editable, Random& random) {
    const Place place = pick(editable, random, is_message).value();
    Step& step = editable.steps(place.rank)[place.index];
    const Step before = step;
    do {
      step.target =
          static_cast<Rank>(random.below(static_cast<std::uint64_t>(editable.schedule.ranks)));
    } while (step.target == place.rank || step.target == before.target);
    const Step misdirected = step;
    const std::vector<Violation> violations = editable.violations();
    INFO(all_of(violations));
    CHECK(names_channel(editable, violations, place.rank, before));
    CHECK(names_channel(editable, violations, place.rank, misdirected));
  });
}

TEST_CASE("mutants: a message on another stream is missed and is too much", "[verify][mutants]") {
  for_mutants(6, 2, [](Editable& editable, Random& random) {
    const Place place = pick(editable, random, is_message).value();
    const Step before = editable.steps(place.rank)[place.index];
    editable.steps(place.rank)[place.index].stream = 9;
    const std::vector<Violation> violations = editable.violations();
    INFO(all_of(violations));
    CHECK(names_channel(editable, violations, place.rank, before));
    CHECK(std::any_of(violations.begin(), violations.end(), [&](const Violation& violation) {
      return names(violation, place) && violation.message.find("to match") != std::string::npos;
    }));
  });
}

TEST_CASE("mutants: a slice of another size does not fit its partner", "[verify][mutants]") {
  for_mutants(7, 2, [](Editable& editable, Random& random) {
    const Place place =
        pick(editable, random, [](const Step& step) { return step.verb != Verb::Nothing; }).value();
    Step& step = editable.steps(place.rank)[place.index];
    --(step.verb == Verb::Recv ? step.into : step.from).count;  // no algorithm sends nothing
    const std::string name = describe(editable.schedule, place.rank, 0, place.index) + " (" +
                             describe(editable.schedule, step) + ")";
    const std::vector<Violation> violations = editable.violations();
    INFO(all_of(violations));
    REQUIRE(violations.size() == 1);
    CHECK(violations.front().message.find(name) != std::string::npos);
    CHECK(violations.front().message.find(step.verb == Verb::Combine ? "elements into" : "bytes") !=
          std::string::npos);
  });
}

TEST_CASE("mutants: a slice in another place mixes or misplaces elements", "[verify][mutants]") {
  for_mutants(8, 2, [](Editable& editable, Random& random) {
    // Only where there is another place.
    const std::uint64_t count = editable.schedule.buffers[0].count;
    const auto place = pick(editable, random, [&](const Step& step) {
      return std::max(step.from.count, step.into.count) < count;
    });
    if (!place) return;
    Step& step = editable.steps(place->rank)[place->index];
    const bool moves_from =
        step.verb == Verb::Send || (step.verb == Verb::Combine && random.below(2) == 0);
    Slice& slice = moves_from ? step.from : step.into;
    const std::uint64_t first = slice.first;
    while (slice.first == first)
      slice.first = random.below(count - slice.count + 1);
    const std::vector<Violation> violations = editable.violations();
    INFO(all_of(violations));
    CHECK_FALSE(violations.empty());
  });
}

TEST_CASE("mutants: another operator spoils the sum", "[verify][mutants]") {
  for_mutants(9, 2, [](Editable& editable, Random& random) {
    const Place place = pick(editable, random, [](const Step& step) {
                          return step.verb == Verb::Recv || step.verb == Verb::Combine;
                        }).value();
    Step& step = editable.steps(place.rank)[place.index];
    const Operator before = step.combine;
    while (step.combine == before)
      step.combine = static_cast<Operator>(random.below(3));
    const std::vector<Violation> violations = editable.violations();
    INFO(all_of(violations));
    CHECK_FALSE(violations.empty());
  });
}

namespace {

/// Whether step `a` of a program is always complete before step `b` starts: a search through all
/// edges of the rank's own order, with no cleverness.
bool is_ordered(const WrittenProgram& program, StepIndex a, StepIndex b) {
  const std::vector<Step>& steps = program.steps;
  // Events: 2 × step is its start, one more its completion.
  std::vector<bool> seen(2 * steps.size());
  std::vector<std::uint32_t> pending{2 * b};
  while (!pending.empty()) {
    const std::uint32_t event = pending.back();
    pending.pop_back();
    if (event == 2 * a + 1) return true;
    if (seen[event]) continue;
    seen[event] = true;
    const StepIndex step = event / 2;
    const bool completes = event % 2 == 1;
    if (completes) pending.push_back(2 * step);
    for (StepIndex other = 0; other < step; ++other) {
      const bool same_channel = is_message(steps[step]) && steps[other].verb == steps[step].verb &&
                                steps[other].target == steps[step].target &&
                                steps[other].stream == steps[step].stream;
      if (same_channel) pending.push_back(2 * other + (completes ? 1 : 0));
      if (completes) continue;
      const std::uint32_t width = program.shape.steps_per_round;
      if (other / width + program.shape.rounds_in_flight <= step / width)
        pending.push_back(2 * other + 1);
      for (std::uint32_t d = 0; d < steps[step].after_count; ++d)
        if (steps[step].after[d] == other) pending.push_back(2 * other + 1);
    }
  }
  return false;
}

bool overlaps(const Slice& a, const Slice& b) {
  return a.buffer == b.buffer && a.first < b.end() && b.first < a.end() && a.count > 0 &&
         b.count > 0;
}

bool conflict(const Step& a, const Step& b) {
  const auto reads = [](const Step& step) {
    return step.verb == Verb::Send || step.verb == Verb::Combine ? step.from : Slice{};
  };
  const auto writes = [](const Step& step) {
    return step.verb == Verb::Recv || step.verb == Verb::Combine ? step.into : Slice{};
  };
  return overlaps(writes(a), writes(b)) || overlaps(writes(a), reads(b)) ||
         overlaps(reads(a), writes(b));
}

/// The pairs of steps that touch one element in no order.
std::vector<std::pair<StepIndex, StepIndex>> races(const WrittenProgram& program) {
  std::vector<std::pair<StepIndex, StepIndex>> pairs;
  for (StepIndex b = 0; b < program.steps.size(); ++b)
    for (StepIndex a = 0; a < b; ++a)
      if (conflict(program.steps[a], program.steps[b]) && !is_ordered(program, a, b))
        pairs.emplace_back(a, b);
  return pairs;
}

}  // namespace

TEST_CASE("mutants: a race is reported if and only if a dropped dependency makes one",
          "[verify][mutants]") {
  int harmful = 0;
  int harmless = 0;
  for_mutants(10, 2, [&](Editable& editable, Random& random) {
    if (editable.steps(0).size() > 120) return;  // the plain search is slow
    const auto place =
        pick(editable, random, [](const Step& step) { return step.after_count > 0; });
    if (!place) return;
    Step& step = editable.steps(place->rank)[place->index];
    std::swap(step.after[random.below(step.after_count)], step.after[step.after_count - 1u]);
    step.after[--step.after_count] = 0;
    const auto expected = races(editable.programs[static_cast<std::size_t>(place->rank)]);
    const std::vector<Violation> violations = editable.violations();
    INFO(all_of(violations));
    ++(expected.empty() ? harmless : harmful);
    if (expected.empty()) {
      CHECK(violations.empty());
      return;
    }
    CHECK(std::any_of(expected.begin(), expected.end(), [&](const auto& pair) {
      const std::string other =
          "may run while " + describe(editable.schedule, place->rank, 0, pair.first) + " ";
      return std::any_of(violations.begin(), violations.end(), [&](const Violation& violation) {
        return names(violation, {place->rank, pair.second}) &&
               violation.message.find(other) != std::string::npos;
      });
    }));
  });
  CHECK(harmful > 100);
  CHECK(harmless > 0);
}

TEST_CASE("mutants: fewer dependencies of rounds, that is more of them in flight, may race",
          "[verify][mutants]") {
  for_mutants(11, 2, [&](Editable& editable, Random& random) {
    if (editable.steps(0).size() > 120) return;
    const auto rank =
        static_cast<Rank>(random.below(static_cast<std::uint64_t>(editable.schedule.ranks)));
    WrittenProgram& program = editable.programs[static_cast<std::size_t>(rank)];
    program.shape.rounds_in_flight = program.shape.rounds;
    CHECK(editable.violations().empty() == races(program).empty());
  });
}

}  // namespace lockstep::schedule
