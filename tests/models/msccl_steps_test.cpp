// SPDX-License-Identifier: Apache-2.0
// MSCCL programs of other tools become schedules that are proven and compute what they should.
#include "models/msccl/steps.h"

#include <catch2/catch.hpp>
#include <functional>

#include "models/msccl/program_xml.h"
#include "models/schedule/pieces.h"
#include "tests/support/hand_written.h"
#include "tests/support/in_memory.h"
#include "tests/support/msccl_files.h"

namespace lockstep::msccl {

using schedule::Collective;
using support::complaints;
using support::Texts;

namespace {

/// What rank `rank` holds at element `i` at first. Sums are exact, whatever their order.
float value(Rank rank, std::uint64_t i) {
  return static_cast<float>((rank + 1) * static_cast<int>(i % 50 + 1));
}

/// Proves the program on `count` elements and runs it, messages buffered and not.
void check_program(const Program& program, std::uint64_t count) {
  INFO(program.name << ", " << program.ranks() << " gpus, " << count << " elements");
  const schedule::Schedule schedule = make_schedule(program, count);
  const schedule::Contract contract = contract_of(program, count);
  CHECK(complaints(schedule, contract) == Texts{});
  for (const support::Sends sends : {support::Sends::Eager, support::Sends::Rendezvous}) {
    support::InMemoryRun run(schedule, count + 1, sends);
    for (Rank rank = 0; rank < program.ranks(); ++rank)
      for (std::uint64_t i = 0; i < count; ++i)
        run.buffer(rank, 0)[i] = value(rank, i);
    run.run();
    const std::int32_t p = program.ranks();
    for (Rank rank = 0; rank < p; ++rank)
      for (Rank owner = 0; owner < p; ++owner) {
        const schedule::Slice share = schedule::chunk_of({0, 0, count}, owner, p);
        if (program.collective == Collective::ReduceScatter && owner != rank) continue;
        for (std::uint64_t i = share.first; i < share.end(); ++i) {
          // Σ (r + 1) over r < p is p(p + 1)/2.
          const float expected = program.collective == Collective::AllGather ? value(owner, i)
                                 : program.collective == Collective::Broadcast
                                     ? value(program.root, i)
                                     : value(p * (p + 1) / 2 - 1, i);
          REQUIRE(run.buffer(rank, 0)[i] == expected);
        }
      }
  }
}

void check_file(const std::string& text) {
  const Program program = parse_program(text, "test.xml");
  const auto chunks = static_cast<std::uint64_t>(program.chunks);
  for (const std::uint64_t count :
       {std::uint64_t{0}, std::uint64_t{1}, chunks - 1, chunks, chunks + 1, 3 * chunks,
        5 * chunks + chunks / 2, std::uint64_t{1000}})
    check_program(program, count);
}

}  // namespace

TEST_CASE("msccl steps: a fused ring adds up", "[msccl]") {
  for (int ranks = 2; ranks <= 9; ++ranks) {
    check_file(support::fused_ring(ranks, false));
    check_file(support::fused_ring(ranks, true));
  }
}

TEST_CASE("msccl steps: all pairs, whose nops gather what a step waits for, add up", "[msccl]") {
  for (int ranks = 2; ranks <= 8; ++ranks)
    check_file(support::all_pairs(ranks));
}

TEST_CASE("msccl steps: all-gather, reduce-scatter and broadcast, in place and apart", "[msccl]") {
  for (const bool in_place : {true, false})
    for (int ranks = 1; ranks <= 6; ++ranks)
      for (const int chunks : {1, 3}) {
        check_file(support::direct_all_gather(ranks, chunks, in_place));
        check_file(support::direct_reduce_scatter(ranks, chunks, in_place));
        check_file(support::chain_broadcast(ranks, ranks / 2, chunks, in_place));
      }
}

namespace {

/// What verify says of the program on one element a chunk.
Texts complaints_of(const std::string& text) {
  const Program program = parse_program(text, "test.xml");
  const auto count = static_cast<std::uint64_t>(program.chunks);
  return complaints(make_schedule(program, count), contract_of(program, count));
}

}  // namespace

TEST_CASE("msccl steps: what a file leaves unordered is a race, and is named", "[msccl]") {
  using support::FileBlock;
  const auto file = [](const FileBlock& adding) {
    std::vector<support::FileGpu> gpus;
    for (const int other : {1, 0})
      gpus.push_back({1,
                      0,
                      1,
                      {{other, -1, 0, {{"s", "i0", "s0", 1, -1, -1}}},
                       {-1, other, 0, {{"r", "i0", "s0", 1, -1, -1}}},
                       adding}});
    return support::file_of(gpus,
                            R"(nchannels="1" nchunksperloop="1" coll="allreduce" inplace="1")");
  };
  CHECK(complaints_of(file({-1, -1, 0, {{"nop", "", "", 0, 0, 0}, {"re", "s0", "i0", 1, 1, 0}}})) ==
        Texts{});
  // The addition waits for what it reads, but not for what it spoils.
  const Texts spoiled = complaints_of(file({-1, -1, 0, {{"re", "s0", "i0", 1, 1, 0}}}));
  REQUIRE(spoiled.size() == 2);
  CHECK(spoiled[0] ==
        "rank 0, all-reduce, step 2 (combine scratch[0, 1) into data[0, 1), adding): may run while "
        "rank 0, all-reduce, step 0 (send data[0, 1) to 1 (stream 0)) is not complete, and both "
        "touch data[0, 1): nothing on this rank orders them");
  // And the other way round.
  CHECK(complaints_of(file({-1, -1, 0, {{"re", "s0", "i0", 1, 0, 0}}})).size() == 2);
}

TEST_CASE("msccl steps: GPUs that wait for each other are a deadlock, and the circle is named",
          "[msccl]") {
  // Each receives before it sends, in one thread block. Neither touches what the other does.
  std::vector<support::FileGpu> gpus;
  for (const int other : {1, 0})
    gpus.push_back({2,
                    0,
                    0,
                    {{other,
                      other,
                      0,
                      {{"rrc", "i1", "i1", 1, -1, -1},
                       {"nop", "", "", 0, -1, -1},
                       {"s", "i0", "i0", 1, -1, -1}}}}});
  const Texts circle = complaints_of(
      support::file_of(gpus, R"(nchannels="1" nchunksperloop="2" coll="allreduce" inplace="1")"));
  REQUIRE_FALSE(circle.empty());
  CHECK_THAT(circle[0], Catch::Contains("may deadlock: it waits for"));
}

TEST_CASE("msccl steps: a chunk that does not fit where it is put needs an even count", "[msccl]") {
  // Chunk 0 is copied over chunk 1, which is smaller when three elements are cut in two.
  const std::string text =
      support::file_of({{2, 0, 0, {{-1, -1, 0, {{"cpy", "i0", "i1", 1, -1, -1}}}}}},
                       R"(nchannels="1" nchunksperloop="2" coll="allreduce" inplace="1")");
  const Program program = parse_program(text, "test.xml");
  make_schedule(program, 4);
  CHECK_THROWS_WITH(make_schedule(program, 3),
                    "test.xml:4: brings chunk 0 of the data to the place of chunk 1, which is "
                    "smaller because 3 elements are no multiple of 2 chunks");
}

TEST_CASE("msccl steps: where data, scratch and streams are is the caller's choice", "[msccl]") {
  // Two all-reduces at one time, of different length, on slices of the same buffers.
  const Program program = parse_program(support::all_pairs(4), "test.xml");
  const std::uint64_t scratch =
      std::max(scratch_elements(program, 50), scratch_elements(program, 33));
  schedule::Schedule schedule;
  schedule.ranks = 4;
  schedule.buffers = {{.name = "data", .count = 83},
                      {.name = "scratch", .count = 10 + 2 * scratch}};
  schedule.fragments = {
      {.name = "first", .steps = make_steps(program, {0, 0, 50}, {1, 10, scratch}, 0), .after = {}},
      {.name = "second",
       .steps = make_steps(program, {0, 50, 33}, {1, 10 + scratch, scratch}, 1),
       .after = {}}};
  CHECK(complaints(schedule, {.slice = {0, 0, 83}}) == Texts{});
}

TEST_CASE("msccl steps: a step that must wait for many waits for few", "[msccl]") {
  // In all-pairs a rank sends what 7 thread blocks have added up to each of 6 others.
  const Program program = parse_program(support::all_pairs(7), "test.xml");
  const schedule::Schedule schedule = make_schedule(program, 49);
  int gathering = 0;
  for (const schedule::Step& step : steps_of(schedule.fragments[0], 0))
    gathering += step.verb == schedule::Verb::Combine && step.into.count == 0 ? 1 : 0;
  // Of 7, three are gathered in one step, which leaves 5, and again, which leaves 3: 2 steps, the
  // same for all 6 sends.
  CHECK(gathering == 2);
}

}  // namespace lockstep::msccl
