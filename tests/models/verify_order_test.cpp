// SPDX-License-Identifier: Apache-2.0
// What verify says about order: deadlocks, races, messages that may be mistaken for others.
#include "models/schedule/verify.h"

#include <catch2/catch.hpp>
#include <stdexcept>

#include "models/base/random.h"
#include "models/schedule/written_steps.h"
#include "tests/support/hand_written.h"
#include "tests/support/in_memory.h"

namespace lockstep::schedule {

using support::after;
using support::complaints;
using support::gather_and_scatter;
using support::kData;
using support::Lists;
using support::receive;
using support::schedule_of;
using support::send;
using support::Texts;

TEST_CASE("verify: two ranks that both send first deadlock if sends wait for their receives",
          "[verify]") {
  // Each adds what the other had: right, but only while the network holds a message for each.
  const Slice half{1, 0, 5};
  const auto rank = [&](Rank other) {
    return std::vector<Step>{
        send(other, kData), after(receive(other, half, Operator::Replace), {0}),
        after({.verb = Verb::Combine, .combine = Operator::Sum, .from = half, .into = kData}, {1})};
  };
  CHECK(complaints(schedule_of({rank(1), rank(0)})) ==
        Texts{"rank 0, sum, step 0 (send data[0, 5) to 1 (stream 0)): may deadlock: it waits for "
              "rank 1, sum, step 1 (receive scratch[0, 5) from 0, replacing (stream 0)), which "
              "waits for rank 1, sum, step 0 (send data[0, 5) to 0 (stream 0)), which waits for "
              "rank 0, sum, step 1 (receive scratch[0, 5) from 1, replacing (stream 0)), which "
              "waits for the first"});
}

TEST_CASE("verify: the bound on the rounds in flight may deadlock, or keep order", "[verify]") {
  // Rank 0 sends in round 0 what rank 1 receives in its round 1, and the other way round; with one
  // round in flight neither gets that far.
  const auto program = [&](std::uint32_t in_flight, Rank other) {
    return WrittenProgram{
        {2, 1, in_flight},
        {send(other, {0, static_cast<std::uint64_t>(other), 1}),
         receive(other, {0, static_cast<std::uint64_t>(1 - other), 1}, Operator::Sum)}};
  };
  Schedule schedule = schedule_of({{}, {}});
  const auto with = [&](std::uint32_t in_flight) {
    schedule.fragments[0].steps =
        std::make_shared<WrittenSteps>(std::vector{program(in_flight, 1), program(in_flight, 0)});
    return complaints(schedule, {.slice = {0, 0, 0}});
  };
  CHECK(with(2) == Texts{});
  REQUIRE(with(1).size() == 1);
  CHECK(with(1)[0].find("may deadlock") != std::string::npos);
}

TEST_CASE("verify: computations take turns on their lane, in program order at the worst",
          "[verify]") {
  // Rank 0's first computation waits for a message that rank 1 sends after its own, which waits
  // for rank 0's second computation: right only if the lane may take the second one first.
  const auto compute = [](Lane lane) { return Step{.verb = Verb::Compute, .lane = lane}; };
  const auto lists = [&](Lane second) {
    return Lists{{receive(1, {1, 0, 1}, Operator::Replace), after(compute(Lane::Compute), {0}),
                  compute(second), after(send(1, {0, 0, 1}), {2})},
                 {receive(0, {1, 0, 1}, Operator::Replace), after(send(0, {0, 0, 1}), {0})}};
  };
  CHECK(complaints(schedule_of(lists(Lane::Input)), {.slice = {0, 0, 0}}) == Texts{});
  REQUIRE(complaints(schedule_of(lists(Lane::Compute)), {.slice = {0, 0, 0}}).size() == 1);
  CHECK(complaints(schedule_of(lists(Lane::Compute)), {.slice = {0, 0, 0}})[0].find(
            "may deadlock") != std::string::npos);
}

TEST_CASE("verify: steps that touch one element need an order of their own rank's", "[verify]") {
  Lists lists = gather_and_scatter();
  SECTION("two sums into one place") {
    lists[0][1].after_count = 0;
    const Texts messages = complaints(schedule_of(lists));
    REQUIRE(messages.size() == 1);  // step 2 still waits for step 1, and cannot see step 0
    CHECK(messages[0] ==
          "rank 0, sum, step 1 (receive data[0, 5) from 2, adding (stream 0)): may run while rank "
          "0, sum, step 0 (receive data[0, 5) from 1, adding (stream 0)) is not complete, and both "
          "touch data[0, 5): nothing on this rank orders them");
  }
  SECTION("overwriting what is still being sent, though the answer can only come later") {
    lists[1][1].after_count = 0;
    CHECK(complaints(schedule_of(lists)) ==
          Texts{"rank 1, sum, step 1 (receive data[0, 5) from 0, replacing (stream 0)): may run "
                "while rank 1, sum, step 0 (send data[0, 5) to 0 (stream 0)) is not complete, "
                "and both touch data[0, 5): nothing on this rank orders them"});
  }
  SECTION("only what overlaps counts") {
    lists[1].push_back({.verb = Verb::Compute, .lane = Lane::Compute, .into = {1, 0, 5}});
    CHECK(complaints(schedule_of(lists)) == Texts{});
  }
}

TEST_CASE("verify: fragments on one channel need an order", "[verify]") {
  // The same exchange twice over, of two halves of the data.
  const auto half = [](Slice slice) {
    Lists lists = gather_and_scatter();
    for (std::vector<Step>& list : lists)
      for (Step& step : list) {
        if (step.from.count > 0) step.from = slice;
        if (step.into.count > 0) step.into = slice;
      }
    return std::make_shared<StepList>(lists);
  };
  Schedule schedule = schedule_of(gather_and_scatter());
  schedule.fragments = {{.name = "first", .steps = half({0, 0, 2}), .after = {}},
                        {.name = "second", .steps = half({0, 2, 3}), .after = {}}};
  CHECK(complaints(schedule).size() == 8);  // each of its steps shares the channel of another
  CHECK(complaints(schedule).at(0) ==
        "rank 0, second, step 0 (receive data[2, 5) from 1, adding (stream 0)): shares its channel "
        "with rank 0, first, step 0 (receive data[0, 2) from 1, adding (stream 0)), and nothing on "
        "this rank orders them: messages may be mistaken");
  schedule.fragments[1].after = {{0}};
  CHECK(complaints(schedule) == Texts{});
}

namespace {

/// Messages of no elements between random ranks, in an order and with dependencies that may or may
/// not let them all through.
Schedule random_messages(Random& random) {
  const auto ranks = static_cast<std::int32_t>(2 + random.below(3));
  Lists lists(static_cast<std::size_t>(ranks));
  for (std::uint64_t messages = 1 + random.below(8); messages > 0; --messages) {
    const auto from = static_cast<Rank>(random.below(static_cast<std::uint64_t>(ranks)));
    const auto to = static_cast<Rank>(
        (from + 1 + static_cast<Rank>(random.below(static_cast<std::uint64_t>(ranks - 1)))) %
        ranks);
    const auto stream = static_cast<std::uint8_t>(random.below(2));
    const auto put = [&](Rank rank, const Step& step) {
      std::vector<Step>& list = lists[static_cast<std::size_t>(rank)];
      list.insert(list.end() - static_cast<std::ptrdiff_t>(
                                   std::min<std::uint64_t>(random.below(3), list.size())),
                  step);
    };
    put(from, send(to, {}, stream));
    put(to, receive(from, {}, Operator::Replace, stream));
  }
  std::vector<WrittenProgram> programs;
  for (std::vector<Step>& list : lists) {
    for (StepIndex i = 1; i < list.size(); ++i)
      if (random.below(2) == 0) list[i].wait_for(static_cast<StepIndex>(random.below(i)));
    const auto rounds = static_cast<std::uint32_t>(list.size());
    programs.push_back({{rounds, 1, 1 + static_cast<std::uint32_t>(random.below(4))}, list});
  }
  Schedule schedule = schedule_of(lists);
  schedule.fragments[0].steps = std::make_shared<WrittenSteps>(std::move(programs));
  return schedule;
}

}  // namespace

TEST_CASE("verify: finds a deadlock exactly where a run with waiting sends gets stuck",
          "[verify]") {
  constexpr std::uint64_t kSeed = 4711;
  int stuck = 0;
  int through = 0;
  for (std::uint64_t trial = 0; trial < 2000; ++trial) {
    INFO("seed " << kSeed << ", trial " << trial);
    Random random(kSeed, trial);
    const Schedule schedule = random_messages(random);
    const Texts messages = complaints(schedule, {});
    for (const std::string& message : messages)
      REQUIRE(message.find("may deadlock") != std::string::npos);
    support::InMemoryRun run(schedule, trial, support::Sends::Rendezvous);
    bool is_stuck = false;
    try {
      run.run();
    } catch (const std::runtime_error&) {
      is_stuck = true;
    }
    CHECK(is_stuck == !messages.empty());
    ++(is_stuck ? stuck : through);
  }
  CHECK(stuck > 200);
  CHECK(through > 200);
}

}  // namespace lockstep::schedule
