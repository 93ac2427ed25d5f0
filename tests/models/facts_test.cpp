// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/facts.h"

#include <catch2/catch.hpp>

#include "models/collectives/algorithm.h"

namespace lockstep::schedule {
namespace {

Step send(Rank to, std::uint64_t count) {
  return {.verb = Verb::Send, .target = to, .from = {0, 0, count}};
}
Step receive(Rank from, std::uint64_t count, Operator combine = Operator::Replace) {
  return {.verb = Verb::Recv, .combine = combine, .target = from, .into = {0, 0, count}};
}
Step after(Step step, StepIndex before) {
  step.wait_for(before);
  return step;
}

Schedule of(std::vector<std::vector<std::vector<Step>>> fragments) {
  Schedule schedule;
  schedule.ranks = static_cast<std::int32_t>(fragments.front().size());
  schedule.buffers = {{.name = "data", .count = 100}};
  for (std::vector<std::vector<Step>>& lists : fragments)
    schedule.fragments.push_back(
        {.name = "fragment", .steps = std::make_shared<StepList>(std::move(lists)), .after = {}});
  return schedule;
}

}  // namespace

TEST_CASE("facts: bytes and messages are counted by peer, over all fragments", "[facts]") {
  const Schedule schedule = of({{{send(2, 10), receive(1, 3, Operator::Sum), send(1, 1), {}},
                                 {send(0, 3), receive(0, 1)},
                                 {receive(0, 10, Operator::Max)}},
                                {{send(2, 5)}, {}, {receive(0, 5)}}});
  const RankFacts facts = rank_facts(schedule, 0);
  REQUIRE(facts.sent.size() == 2);
  CHECK(facts.sent[0].peer == 1);
  CHECK(facts.sent[0].bytes == 4);  // 1 float
  CHECK(facts.sent[0].messages == 1);
  CHECK(facts.sent[1].peer == 2);
  CHECK(facts.sent[1].bytes == 60);  // 10 + 5 floats
  CHECK(facts.sent[1].messages == 2);
  CHECK(facts.bytes_sent == 64);
  CHECK(facts.bytes_received == 12);  // 3 floats
  CHECK(facts.bytes_combined == 12);
  CHECK(rank_facts(schedule, 1).bytes_combined == 0);
  CHECK(rank_facts(schedule, 2).bytes_received == 60);
  CHECK(rank_facts(schedule, 2).bytes_combined == 40);
}

TEST_CASE("facts: a ring of four on eight floats", "[facts]") {
  // Chunks of 2 floats; 3 rounds of adding, 3 of replacing; 6 messages of 8 bytes to the next rank.
  const Schedule schedule = collectives::all_reduce_schedule(collectives::Algorithm::Ring, 4, 8, 0);
  for (Rank rank = 0; rank < 4; ++rank) {
    const RankFacts facts = rank_facts(schedule, rank);
    REQUIRE(facts.sent.size() == 1);
    CHECK(facts.sent[0].peer == (rank + 1) % 4);
    CHECK(facts.sent[0].messages == 6);
    CHECK(facts.bytes_sent == 48);
    CHECK(facts.bytes_received == 48);
    CHECK(facts.bytes_combined == 24);
  }
  CHECK(critical_rounds(schedule) == 6);
}

TEST_CASE("facts: what is sent is received", "[facts]") {
  for (const collectives::Algorithm algorithm : collectives::all_algorithms())
    for (std::int32_t ranks = 1; ranks <= 9; ++ranks) {
      const Schedule schedule = collectives::all_reduce_schedule(algorithm, ranks, 100, 9);
      std::vector<std::uint64_t> arriving(static_cast<std::size_t>(ranks));
      for (Rank rank = 0; rank < ranks; ++rank) {
        std::uint64_t sum = 0;
        for (const PairBytes& pair : rank_facts(schedule, rank).sent) {
          arriving[static_cast<std::size_t>(pair.peer)] += pair.bytes;
          sum += pair.bytes;
        }
        CHECK(rank_facts(schedule, rank).bytes_sent == sum);
      }
      for (Rank rank = 0; rank < ranks; ++rank)
        CHECK(rank_facts(schedule, rank).bytes_received ==
              arriving[static_cast<std::size_t>(rank)]);
    }
}

TEST_CASE("facts: only messages that depend on one another add up", "[facts]") {
  CHECK(critical_rounds(of({{{}, {}}})) == 0);
  // Both at once.
  CHECK(critical_rounds(of({{{send(1, 1), receive(1, 1)}, {send(0, 1), receive(0, 1)}}})) == 1);
  // There and back.
  CHECK(critical_rounds(
            of({{{send(1, 1), receive(1, 1)}, {receive(0, 1), after(send(0, 1), 0)}}})) == 2);
  // Two in a row on one channel follow each other closely: no latency is added.
  CHECK(critical_rounds(of({{{send(1, 1), send(1, 1)}, {receive(0, 1), receive(0, 1)}}})) == 1);
  // A computation between an arrival and the next message passes the dependence on.
  Step work{.verb = Verb::Compute, .lane = Lane::Compute};
  CHECK(critical_rounds(of({{{send(1, 1)},
                             {receive(0, 1), after(work, 0), after(send(2, 1), 1)},
                             {receive(1, 1)}}})) == 2);
  // Fragments in a chain, without a dependency of their steps.
  Schedule chain = of({{{send(1, 1)}, {receive(0, 1)}}, {{receive(1, 1)}, {send(0, 1)}}});
  CHECK(critical_rounds(chain) == 1);
  chain.fragments[1].after = {{0}};
  CHECK(critical_rounds(chain) == 2);
}

}  // namespace lockstep::schedule
