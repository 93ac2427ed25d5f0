// SPDX-License-Identifier: Apache-2.0
// What verify says about small schedules that are right or wrong in one way: steps, pairs, sums.
#include "models/schedule/verify.h"

#include <catch2/catch.hpp>

#include "models/schedule/written_steps.h"
#include "tests/support/hand_written.h"
#include "tests/support/random_schedule.h"

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

TEST_CASE("verify: has nothing to say against an all-reduce written by hand", "[verify]") {
  CHECK(complaints(schedule_of(gather_and_scatter())) == Texts{});
}

TEST_CASE("verify: names what a slice lacks at the end, first range first", "[verify]") {
  Lists lists = gather_and_scatter();
  lists[0][2].from = lists[1][1].into = {0, 0, 3};  // 1 gets only the first three sums back
  CHECK(complaints(schedule_of(lists)) ==
        Texts{"at the end, data[3, 5) on rank 1 lacks ranks 0, 2"});
  // One rank of many: only itself.
  std::vector<std::vector<Step>> none(12);
  CHECK(complaints(schedule_of(none)).at(3) ==
        "at the end, data[0, 5) on rank 3 lacks ranks 0, 1, 2, 4, 5, 6, 7, 8 and 3 more");
}

TEST_CASE("verify: names a violation's rank, fragment and step", "[verify]") {
  Lists lists = gather_and_scatter();
  lists[1][0].from.count = 4;
  const std::vector<Violation> violations = verify(schedule_of(lists), {.slice = kData});
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
  CHECK(complaints(schedule_of(lists)) == Texts{expected});
}

TEST_CASE("verify: the frame of a schedule is checked", "[verify]") {
  Schedule schedule = schedule_of(gather_and_scatter());
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
    CHECK(complaints(schedule_of(lists)) ==
          Texts{"rank 1, sum, step 2 (send data[0, 5) to 0 (stream 0)): is number 2 on its "
                "channel, and rank 0 has no receive to match",
                "rank 1, sum, step 2 (send data[0, 5) to 0 (stream 0)): may run while rank 1, "
                "sum, step 1 (receive data[0, 5) from 0, replacing (stream 0)) is not complete, "
                "and both touch data[0, 5): nothing on this rank orders them"});
  }
  SECTION("streams that differ") {
    lists[1][0].stream = 1;
    CHECK(complaints(schedule_of(lists)) ==
          Texts{"rank 0, sum, step 0 (receive data[0, 5) from 1, adding (stream 0)): is number "
                "1 on its channel, and rank 1 has no send to match",
                "rank 1, sum, step 0 (send data[0, 5) to 0 (stream 1)): is number 1 on its "
                "channel, and rank 0 has no receive to match"});
  }
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
    CHECK(complaints(schedule_of(lists)).at(0) ==
          "rank 0, sum, step 1 (receive data[0, 5) from 1, adding (stream 0)): counts a rank's "
          "contribution twice in data[0, 5)");
    CHECK(complaints(schedule_of(lists)).at(2) ==
          "at the end, data[0, 5) on rank 1 counts a rank more than once");
    CHECK(complaints(schedule_of(lists)).size() == 4);
  }
  SECTION("never written") {
    lists[1][0].from.buffer = 1;
    CHECK(complaints(schedule_of(lists)) ==
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
    CHECK(complaints(schedule_of(lists)).at(0) ==
          "rank 0, sum, step 1 (receive data[0, 4) from 2, adding (stream 0)): adds contributions "
          "to different elements (1 apart) in data[0, 4)");
  }
  SECTION("sums put elsewhere") {
    lists[0][2].from = {0, 1, 4};
    lists[1][1].into = {0, 0, 4};
    CHECK(complaints(schedule_of(lists)) ==
          Texts{"at the end, data[0, 4) on rank 1 holds the elements 1 further on"});
  }
  SECTION("maxima") {
    lists[0][1].combine = Operator::Max;
    CHECK(complaints(schedule_of(lists)).at(0) ==
          "at the end, data[0, 5) on rank 0 is no sum but a maximum");
  }
}

TEST_CASE("verify: in a training iteration computations contribute and read", "[verify]") {
  const auto backward = [](Slice into) {
    return Step{.verb = Verb::Compute, .lane = Lane::Compute, .target = 0, .into = into};
  };
  Schedule schedule = schedule_of(gather_and_scatter());
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

TEST_CASE("verify: a contract asks of every rank what its collective promises", "[verify]") {
  const auto contract = [](Collective collective) {
    return Contract{.slice = kData, .collective = collective, .root = 1};
  };
  // Chunks of five elements on three ranks: [0, 2), [2, 4), [4, 5).
  SECTION("reduce-scatter: the own chunk is a sum, the others do not matter") {
    Lists lists = gather_and_scatter();
    lists[0] = {receive(1, kData, Operator::Sum), after(receive(2, kData, Operator::Sum), {0}),
                after(send(1, {0, 2, 2}), {1}), after(send(2, {0, 4, 1}), {1})};
    lists[1][1].into = {0, 2, 2};
    lists[2][1].into = {0, 4, 1};
    CHECK(complaints(schedule_of(lists), contract(Collective::ReduceScatter)) == Texts{});
    lists[0][3] = after(send(2, {0, 3, 1}), {1});
    CHECK(complaints(schedule_of(lists), contract(Collective::ReduceScatter)) ==
          Texts{"at the end, data[4, 5) on rank 2 holds the elements -1 further on"});
  }
  SECTION("all-gather: every chunk as its owner had it") {
    const auto exchange = [](Rank to, Slice from, Slice into) {
      return std::vector<Step>{send(to, from), receive(to, into, Operator::Replace)};
    };
    Schedule schedule =
        schedule_of({exchange(1, {0, 0, 3}, {0, 3, 2}), exchange(0, {0, 3, 2}, {0, 0, 3})});
    CHECK(complaints(schedule, contract(Collective::AllGather)) == Texts{});
    schedule = schedule_of({exchange(1, {0, 0, 2}, {0, 3, 2}), exchange(0, {0, 3, 2}, {0, 0, 2})});
    CHECK(complaints(schedule, contract(Collective::AllGather)) ==
          Texts{"at the end, data[2, 3) on rank 1 is not what rank 0 had, but what rank 1 had"});
  }
  SECTION("broadcast: what the root had") {
    const Lists lists{{receive(1, kData, Operator::Replace)},
                      {send(0, kData), send(2, kData)},
                      {receive(1, kData, Operator::Sum)}};
    CHECK(
        complaints(schedule_of(lists), contract(Collective::Broadcast)) ==
        Texts{"at the end, data[0, 5) on rank 2 is not what rank 1 had, but what ranks 1, 2 had"});
  }
  SECTION("a root that is no rank") {
    CHECK(complaints(schedule_of(gather_and_scatter()),
                     {.slice = kData, .collective = Collective::Broadcast, .root = 3}) ==
          Texts{"the root of the contract is rank 3, and there are 3 ranks"});
  }
}

TEST_CASE("verify: stops at a hundred violations", "[verify]") {
  Lists lists(2);
  for (int i = 0; i < 300; ++i)
    lists[0].push_back(send(1, kData));
  CHECK(complaints(schedule_of(lists)).size() == 100);
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
