// SPDX-License-Identifier: Apache-2.0
// What verify says about small schedules that are right or wrong in one way.
#include "models/schedule/verify.h"

#include <catch2/catch.hpp>
#include <stdexcept>

#include "models/collectives/algorithm.h"
#include "models/schedule/written_steps.h"
#include "tests/support/in_memory.h"
#include "tests/support/random_schedule.h"

namespace lockstep::schedule {
namespace {

Step send(Rank to, Slice from, std::uint8_t stream = 0) {
  return {.verb = Verb::Send, .stream = stream, .target = to, .from = from};
}
Step receive(Rank from, Slice into, Operator combine, std::uint8_t stream = 0) {
  return {.verb = Verb::Recv, .combine = combine, .stream = stream, .target = from, .into = into};
}
Step after(Step step, std::initializer_list<StepIndex> before) {
  for (const StepIndex index : before)
    step.wait_for(index);
  return step;
}

constexpr Slice kData{0, 0, 5};

using Lists = std::vector<std::vector<Step>>;

/// Three ranks: 1 and 2 send their data to 0, which adds them and sends the sums back.
Lists gather_and_scatter() {
  return {{receive(1, kData, Operator::Sum), after(receive(2, kData, Operator::Sum), {0}),
           after(send(1, kData), {1}), after(send(2, kData), {1})},
          {send(0, kData), after(receive(0, kData, Operator::Replace), {0})},
          {send(0, kData), after(receive(0, kData, Operator::Replace), {0})}};
}

Schedule of(const Lists& lists) {
  Schedule schedule;
  schedule.ranks = static_cast<std::int32_t>(lists.size());
  schedule.buffers = {{.name = "data", .count = 5}, {.name = "scratch", .count = 5}};
  schedule.fragments = {{.name = "sum", .steps = std::make_shared<StepList>(lists), .after = {}}};
  return schedule;
}

std::vector<std::string> complaints(const Schedule& schedule, const Contract& contract) {
  std::vector<std::string> messages;
  for (const Violation& violation : verify(schedule, contract))
    messages.push_back(violation.message);
  return messages;
}
std::vector<std::string> complaints(const Schedule& schedule) {
  return complaints(schedule, {.slice = kData});
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("verify: has nothing to say against an all-reduce written by hand", "[verify]") {
  CHECK(complaints(of(gather_and_scatter())) == Texts{});
}

TEST_CASE("verify: names what a slice lacks at the end, first range first", "[verify]") {
  Lists lists = gather_and_scatter();
  lists[0][2].from = lists[1][1].into = {0, 0, 3};  // 1 gets only the first three sums back
  CHECK(complaints(of(lists)) == Texts{"at the end, data[3, 5) on rank 1 lacks ranks 0, 2"});
  // One rank of many: only itself.
  std::vector<std::vector<Step>> none(12);
  CHECK(complaints(of(none)).at(3) ==
        "at the end, data[0, 5) on rank 3 lacks ranks 0, 1, 2, 4, 5, 6, 7, 8 and 3 more");
}

TEST_CASE("verify: names a violation's rank, fragment and step", "[verify]") {
  Lists lists = gather_and_scatter();
  lists[1][0].from.count = 4;
  const std::vector<Violation> violations = verify(of(lists), {.slice = kData});
  REQUIRE(violations.size() == 1);
  CHECK(violations[0].rank == 1);
  CHECK(violations[0].fragment == 0);
  CHECK(violations[0].step == 0);
  CHECK(
      violations[0].message ==
      "rank 1, sum, step 0 (send data[0, 4) to 0 (stream 0)): is 16 bytes, but meets rank 0, sum, "
      "step 0 (receive data[0, 5) from 1, adding (stream 0)), which is 20 bytes");
}

TEST_CASE("verify: a step that is wrong by itself is named, and nothing else is looked at",
          "[verify]") {
  Lists lists = gather_and_scatter();
  Step& step = lists[1][0];
  std::string expected;
  const std::string name = "rank 1, sum, step 0 (send data[0, 5) to 0 (stream 0)): ";
  SECTION("target too large") {
    step.target = 3;
    expected =
        "rank 1, sum, step 0 (send data[0, 5) to 3 (stream 0)): "
        "there is no rank 3 among 3";
  }
  SECTION("target negative") {
    step.target = -1;
    expected =
        "rank 1, sum, step 0 (send data[0, 5) to -1 (stream 0)): "
        "there is no rank -1 among 3";
  }
  SECTION("to itself") {
    step.target = 1;
    expected =
        "rank 1, sum, step 0 (send data[0, 5) to 1 (stream 0)): "
        "a rank has no messages with itself";
  }
  SECTION("lane of a message") {
    step.lane = Lane::Compute;
    expected = name + "belongs on the communication lane";
  }
  SECTION("unknown buffer") {
    step.from.buffer = 2;
    expected =
        "rank 1, sum, step 0 (send buffer 2[0, 5) to 0 (stream 0)): "
        "reaches beyond its buffer";
  }
  SECTION("beyond the buffer") {
    step.from.first = 1;
    expected =
        "rank 1, sum, step 0 (send data[1, 6) to 0 (stream 0)): "
        "reaches beyond its buffer";
  }
  SECTION("beyond 64 bits") {
    step.from = {0, UINT64_MAX - 1, 4};
    expected =
        "rank 1, sum, step 0 (send data[18446744073709551614, 2) to 0 (stream 0)): "
        "reaches beyond its buffer";
  }
  SECTION("waits for itself") {
    step.wait_for(0);
    expected = name + "waits for step 0, which is not before it";
  }
  SECTION("unused but waiting") {
    lists[1].push_back({});
    lists[1].back().wait_for(0);
    expected = "rank 1, sum, step 2 (nothing): an unused slot waits for nobody";
  }
  SECTION("computation on the communication lane") {
    lists[1].push_back({.verb = Verb::Compute, .target = 7});
    expected = "rank 1, sum, step 2 (compute work 7): may not hold up the communication lane";
  }
  SECTION("combining unequal slices") {
    lists[1].push_back({.verb = Verb::Combine, .from = {1, 0, 2}, .into = {0, 0, 3}});
    expected =
        "rank 1, sum, step 2 (combine scratch[0, 2) into data[0, 3), replacing): combines "
        "2 elements into 3";
  }
  CHECK(complaints(of(lists)) == Texts{expected});
}

TEST_CASE("verify: the frame of a schedule is checked", "[verify]") {
  Schedule schedule = of(gather_and_scatter());
  SECTION("a fragment that waits for itself") {
    schedule.fragments[0].after = {{0}};
    CHECK(complaints(schedule).at(2) ==
          "rank 2, sum: waits for fragment 0, which is not before it");
  }
  SECTION("a fragment that waits for a step that some rank does not have") {
    schedule.fragments.push_back(schedule.fragments[0]);
    schedule.fragments[1].name = "again";
    schedule.fragments[1].after = {{0, 3}};
    CHECK(complaints(schedule) ==
          Texts{"rank 1, again: waits for step 3 of sum, which has 2 steps",
                "rank 2, again: waits for step 3 of sum, which has 2 steps"});
  }
  SECTION("two buffers of one name") {
    schedule.buffers[1].name = "data";
    CHECK(complaints(schedule) == Texts{"two buffers have the name data"});
  }
  SECTION("a contract beyond the buffer") {
    CHECK(complaints(schedule, {.slice = {0, 0, 6}}) ==
          Texts{"the slice of the contract is not inside its buffer"});
  }
  SECTION("no round in flight") {
    schedule.fragments[0].steps =
        std::make_shared<WrittenSteps>(std::vector<WrittenProgram>{{{1, 1, 0}, {Step{}}}});
    CHECK(complaints(schedule).at(0) == "rank 0, sum: no round may be in flight");
  }
}

TEST_CASE("verify: messages without a partner are named with their number", "[verify]") {
  Lists lists = gather_and_scatter();
  SECTION("one send too many") {
    lists[1].push_back(send(0, kData));
    CHECK(complaints(of(lists)) ==
          Texts{"rank 1, sum, step 2 (send data[0, 5) to 0 (stream 0)): is number 2 on its "
                "channel, and rank 0 has no receive to match",
                "rank 1, sum, step 2 (send data[0, 5) to 0 (stream 0)): may run while rank 1, "
                "sum, step 1 (receive data[0, 5) from 0, replacing (stream 0)) is not complete, "
                "and both touch data[0, 5): nothing on this rank orders them"});
  }
  SECTION("streams that differ") {
    lists[1][0].stream = 1;
    CHECK(complaints(of(lists)) ==
          Texts{"rank 0, sum, step 0 (receive data[0, 5) from 1, adding (stream 0)): is number "
                "1 on its channel, and rank 1 has no send to match",
                "rank 1, sum, step 0 (send data[0, 5) to 0 (stream 1)): is number 1 on its "
                "channel, and rank 0 has no receive to match"});
  }
}

TEST_CASE("verify: two ranks that both send first deadlock if sends wait for their receives",
          "[verify]") {
  // Each adds what the other had: right, but only while the network holds a message for each.
  const Slice half{1, 0, 5};
  const auto rank = [&](Rank other) {
    return std::vector<Step>{
        send(other, kData), after(receive(other, half, Operator::Replace), {0}),
        after({.verb = Verb::Combine, .combine = Operator::Sum, .from = half, .into = kData}, {1})};
  };
  CHECK(complaints(of({rank(1), rank(0)})) ==
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
  Schedule schedule = of({{}, {}});
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
  CHECK(complaints(of(lists(Lane::Input)), {.slice = {0, 0, 0}}) == Texts{});
  REQUIRE(complaints(of(lists(Lane::Compute)), {.slice = {0, 0, 0}}).size() == 1);
  CHECK(complaints(of(lists(Lane::Compute)), {.slice = {0, 0, 0}})[0].find("may deadlock") !=
        std::string::npos);
}

TEST_CASE("verify: steps that touch one element need an order of their own rank's", "[verify]") {
  Lists lists = gather_and_scatter();
  SECTION("two sums into one place") {
    lists[0][1].after_count = 0;
    const Texts messages = complaints(of(lists));
    REQUIRE(messages.size() == 1);  // step 2 still waits for step 1, and cannot see step 0
    CHECK(messages[0] ==
          "rank 0, sum, step 1 (receive data[0, 5) from 2, adding (stream 0)): may run while rank "
          "0, sum, step 0 (receive data[0, 5) from 1, adding (stream 0)) is not complete, and both "
          "touch data[0, 5): nothing on this rank orders them");
  }
  SECTION("overwriting what is still being sent, though the answer can only come later") {
    lists[1][1].after_count = 0;
    CHECK(complaints(of(lists)) ==
          Texts{"rank 1, sum, step 1 (receive data[0, 5) from 0, replacing (stream 0)): may run "
                "while rank 1, sum, step 0 (send data[0, 5) to 0 (stream 0)) is not complete, "
                "and both touch data[0, 5): nothing on this rank orders them"});
  }
  SECTION("only what overlaps counts") {
    lists[1].push_back({.verb = Verb::Compute, .lane = Lane::Compute, .into = {1, 0, 5}});
    CHECK(complaints(of(lists)) == Texts{});
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
  Schedule schedule = of(gather_and_scatter());
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

TEST_CASE("verify: what is summed must be there, and not be summed twice", "[verify]") {
  Lists lists = gather_and_scatter();
  SECTION("twice") {
    lists[1].insert(lists[1].begin() + 1, after(send(0, kData), {0}));
    lists[1][2].after = {1};
    lists[0].insert(lists[0].begin() + 1, after(receive(1, kData, Operator::Sum), {0}));
    for (std::size_t i = 2; i < lists[0].size(); ++i)
      for (std::uint32_t d = 0; d < lists[0][i].after_count; ++d)
        ++lists[0][i].after[d];
    lists[0][2].after = {1};
    CHECK(complaints(of(lists)).at(0) ==
          "rank 0, sum, step 1 (receive data[0, 5) from 1, adding (stream 0)): counts a rank's "
          "contribution twice in data[0, 5)");
    CHECK(complaints(of(lists)).at(2) ==
          "at the end, data[0, 5) on rank 1 counts a rank more than once");
    CHECK(complaints(of(lists)).size() == 4);
  }
  SECTION("never written") {
    lists[1][0].from.buffer = 1;
    CHECK(complaints(of(lists)) ==
          Texts{"rank 1, sum, step 0 (send scratch[0, 5) to 0 (stream 0)): sends scratch[0, 5), "
                "which was never written",
                "at the end, data[0, 5) on rank 0 lacks rank 1, contains something that no rank "
                "contributed",
                "at the end, data[0, 5) on rank 1 lacks rank 1, contains something that no rank "
                "contributed",
                "at the end, data[0, 5) on rank 2 lacks rank 1, contains something that no rank "
                "contributed"});
  }
  SECTION("other elements") {
    lists[0][1].into = lists[2][0].from = {0, 0, 4};
    lists[2][0].from.first = 1;
    CHECK(complaints(of(lists)).at(0) ==
          "rank 0, sum, step 1 (receive data[0, 4) from 2, adding (stream 0)): adds contributions "
          "to different elements (1 apart) in data[0, 4)");
  }
  SECTION("sums put elsewhere") {
    lists[0][2].from = {0, 1, 4};
    lists[1][1].into = {0, 0, 4};
    CHECK(complaints(of(lists)) ==
          Texts{"at the end, data[0, 4) on rank 1 holds the sums of the elements 1 further on"});
  }
  SECTION("maxima") {
    lists[0][1].combine = Operator::Max;
    CHECK(complaints(of(lists)).at(0) ==
          "at the end, data[0, 5) on rank 0 is no sum but a maximum");
  }
}

TEST_CASE("verify: in a training iteration computations contribute and read", "[verify]") {
  const auto backward = [](Slice into) {
    return Step{.verb = Verb::Compute, .lane = Lane::Compute, .target = 0, .into = into};
  };
  Schedule schedule = of(gather_and_scatter());
  const Fragment sum = schedule.fragments[0];
  const Step update{.verb = Verb::Compute, .lane = Lane::Compute, .target = 1, .from = kData};
  const auto list = [](std::vector<Step> steps) {
    return std::make_shared<StepList>(Lists{std::move(steps)});
  };
  schedule.fragments = {{.name = "backward", .steps = list({backward(kData)}), .after = {}},
                        sum,
                        {.name = "update", .steps = list({update}), .after = {{1}}}};
  schedule.fragments[1].after = {{0}};
  const Contract contract{.holds_contributions_at_start = false, .slice = kData};
  CHECK(complaints(schedule, contract) == Texts{});

  SECTION("the gradients come too late") {
    schedule.fragments[1].after.clear();
    CHECK(complaints(schedule, contract).at(0) ==
          "rank 0, sum, step 0 (receive data[0, 5) from 1, adding (stream 0)): may run while rank "
          "0, backward, step 0 (compute work 0) is not complete, and both touch data[0, 5): "
          "nothing on this rank orders them");
  }
  SECTION("the last gradients are not computed") {
    schedule.fragments[0].steps = list({backward({0, 0, 4})});
    CHECK(complaints(schedule, contract).at(0) ==
          "rank 1, sum, step 0 (send data[0, 5) to 0 (stream 0)): sends data[4, 5), which was "
          "never written");
  }
  SECTION("the update reads before the sum is there") {
    schedule.fragments[2].after = {{0}};
    std::swap(schedule.fragments[1], schedule.fragments[2]);
    schedule.fragments[2].after = {{1}};
    CHECK(complaints(schedule, contract) ==
          Texts{"rank 0, update, step 0 (compute work 1): reads what is not reduced: data[0, 5) "
                "on rank 0 lacks ranks 1, 2",
                "rank 1, update, step 0 (compute work 1): reads what is not reduced: data[0, 5) "
                "on rank 1 lacks ranks 0, 2",
                "rank 2, update, step 0 (compute work 1): reads what is not reduced: data[0, 5) "
                "on rank 2 lacks ranks 0, 1"});
  }
}

TEST_CASE("verify: stops at a hundred violations", "[verify]") {
  Lists lists(2);
  for (int i = 0; i < 300; ++i)
    lists[0].push_back(send(1, kData));
  CHECK(complaints(of(lists)).size() == 100);
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
  Schedule schedule = of(lists);
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

TEST_CASE("verify: comes through whatever random schedule it is given", "[verify]") {
  constexpr std::uint64_t kSeed = 12;
  for (std::uint64_t trial = 0; trial < 500; ++trial) {
    INFO("seed " << kSeed << ", trial " << trial);
    Random random(kSeed, trial);
    const Schedule schedule = support::random_schedule(random, 3);
    const std::vector<Violation> violations = verify(schedule, {.slice = {0, 0, 20}});
    CHECK_FALSE(violations.empty());  // random steps do not make an all-reduce
    for (const Violation& violation : violations)
      CHECK_FALSE(violation.message.empty());
  }
}

}  // namespace lockstep::schedule
