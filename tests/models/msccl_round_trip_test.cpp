// SPDX-License-Identifier: Apache-2.0
// Every algorithm, written as MSCCL XML and read back: proven, and the same sums bit for bit.
#include <catch2/catch.hpp>
#include <utility>

#include "models/collectives/algorithm.h"
#include "models/msccl/from_schedule.h"
#include "models/msccl/program_xml.h"
#include "models/msccl/steps.h"
#include "tests/support/hand_written.h"
#include "tests/support/in_memory.h"
#include "tests/support/operations.h"

namespace lockstep::msccl {

using collectives::Collective;
using support::complaints;
using support::Texts;

namespace {

/// What all ranks hold at the end of a run that began with random values.
std::vector<std::vector<float>> outcome(const schedule::Schedule& schedule, std::uint64_t count) {
  Random values(count);
  support::InMemoryRun run(schedule, count + 1);
  for (Rank rank = 0; rank < schedule.ranks; ++rank)
    for (float& value : run.buffer(rank, 0))
      value = static_cast<float>(values.normal());
  run.run();
  std::vector<std::vector<float>> results;
  for (Rank rank = 0; rank < schedule.ranks; ++rank)
    results.push_back(run.buffer(rank, 0));
  return results;
}

void check_round_trip(const support::Case& each) {
  INFO(each.name() << ", segments of " << each.operation.segment_elements);
  collectives::Operation operation = each.operation;
  const Program written = make_program(each.algorithm, operation);
  const std::string text = to_xml(written);
  const Program program = parse_program(text, "test.xml");
  CHECK(to_xml(program) == text);
  CHECK(program.collective == operation.collective);
  CHECK(program.root == operation.root);
  // Cut evenly, it is the same algorithm, so that the sums are the same bits; otherwise it must be
  // right still.
  const auto chunks = static_cast<std::uint64_t>(program.chunks);
  for (const std::uint64_t count : {chunks, 3 * chunks}) {
    operation.data = {0, 0, count};
    operation.segment_elements = 0;  // does not change the order of sums
    const schedule::Schedule ours = make_schedule(program, count);
    REQUIRE(complaints(ours, contract_of(program, count)) == Texts{});
    if (operation.collective == Collective::ReduceScatter) continue;  // leaves what it likes
    CHECK(outcome(ours, count) ==
          outcome(collectives::make_schedule(each.algorithm, operation), count));
  }
  for (const std::uint64_t count : {std::uint64_t{0}, std::uint64_t{1}, 2 * chunks + 1})
    REQUIRE(complaints(make_schedule(program, count), contract_of(program, count)) == Texts{});
}

}  // namespace

TEST_CASE("msccl round trip: every algorithm is what it was", "[msccl]") {
  for (std::int32_t ranks = 1; ranks <= 13; ++ranks)
    for (const std::uint64_t segment : {0, 100})
      for (const support::Case& each : support::cases_for(ranks, 1000, segment))
        check_round_trip(each);
}

TEST_CASE("msccl round trip: of what a file says to wait for, nothing can be left out", "[msccl]") {
  int left_out = 0;
  for (const std::int32_t ranks : {3, 4, 6})
    for (const support::Case& each : support::cases_for(ranks, 1000, 0)) {
      INFO(each.name());
      Program program = make_program(each.algorithm, each.operation);
      const auto count = static_cast<std::uint64_t>(program.chunks);
      for (Gpu& gpu : program.gpus)
        for (ThreadBlock& block : gpu.blocks)
          for (Step& step : block.steps) {
            if (step.after_block < 0) continue;
            const Step whole = std::exchange(
                step,
                {.type = step.type, .from = step.from, .into = step.into, .count = step.count});
            CHECK(complaints(make_schedule(program, count), contract_of(program, count)) !=
                  Texts{});
            step = whole;
            ++left_out;
          }
    }
  CHECK(left_out > 1000);
}

TEST_CASE("msccl round trip: many ranks find room", "[msccl]") {
  for (const std::int32_t ranks : {33, 64})
    for (const support::Case& each : support::cases_for(ranks, 1000, 0)) {
      INFO(each.name());
      const std::string text = to_xml(make_program(each.algorithm, each.operation));
      const Program program = parse_program(text, "test.xml");
      REQUIRE(complaints(make_schedule(program, 1000), contract_of(program, 1000)) == Texts{});
    }
}

}  // namespace lockstep::msccl
