// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/schedule_json.h"

#include <catch2/catch.hpp>

#include "models/base/errors.h"
#include "models/collectives/algorithm.h"
#include "models/schedule/verify.h"
#include "tests/support/random_schedule.h"

namespace lockstep::schedule {
namespace {

void check_equal(const Schedule& a, const Schedule& b) {
  CHECK(a.name == b.name);
  REQUIRE(a.ranks == b.ranks);
  CHECK(a.buffers == b.buffers);
  REQUIRE(a.fragments.size() == b.fragments.size());
  for (std::size_t f = 0; f < a.fragments.size(); ++f) {
    CHECK(a.fragments[f].name == b.fragments[f].name);
    CHECK(a.fragments[f].bucket == b.fragments[f].bucket);
    CHECK(a.fragments[f].after == b.fragments[f].after);
    for (Rank rank = 0; rank < a.ranks; ++rank) {
      CHECK(a.fragments[f].steps->shape(rank) == b.fragments[f].steps->shape(rank));
      CHECK(steps_of(a.fragments[f], rank) == steps_of(b.fragments[f], rank));
    }
  }
}

void check_round_trip(const Schedule& schedule) {
  const std::string text = to_json(schedule);
  const Schedule again = parse_schedule(text, "s.json");
  check_equal(schedule, again);
  CHECK(to_json(again) == text);
}

std::string error_of(const std::string& text) {
  try {
    parse_schedule(text, "s.json");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

/// A schedule of two ranks and one program; `step` is the second of its two steps.
std::string with_step(const std::string& step) {
  return R"({"name": "s", "ranks": 2, "buffers": [{"name": "data", "count": 8}],
    "fragments": [{"name": "f", "after": [], "programs": [
      {"rounds": 2, "steps_per_round": 1, "rounds_in_flight": 1, "steps": [{}, )" +
         step + "]}]}]}";
}

/// `text` with one occurrence of `from` replaced.
std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

const std::string kStep = "s.json: /fragments/0/programs/0/steps/1";

}  // namespace

TEST_CASE("schedule json: the all-reduces come back as they were, rounds in flight included",
          "[schedule][json]") {
  for (const collectives::Algorithm algorithm : collectives::all_algorithms())
    for (const std::int32_t ranks : {1, 2, 3, 4, 7})
      for (const std::uint64_t segment : {0, 3}) {
        const Schedule schedule = collectives::all_reduce_schedule(algorithm, ranks, 20, segment);
        check_round_trip(schedule);
        const Schedule again = parse_schedule(to_json(schedule), "s.json");
        CHECK(verify(again, {.slice = {0, 0, 20}}).empty());
      }
}

TEST_CASE("schedule json: any schedule comes back as it was", "[schedule][json]") {
  constexpr std::uint64_t kSeed = 3;
  for (std::uint64_t trial = 0; trial < 200; ++trial) {
    INFO("seed " << kSeed << ", trial " << trial);
    Random random(kSeed, trial);
    check_round_trip(support::random_schedule(random, 1 + static_cast<Rank>(random.below(4))));
  }
}

TEST_CASE("schedule json: extreme values and odd names come back", "[schedule][json]") {
  Schedule schedule;
  schedule.name = "a \"quoted\"\nname, p−1";
  schedule.ranks = 1;
  schedule.buffers = {{.name = "", .count = UINT64_MAX}, {.name = "β/~", .count = 0}};
  Step step{.verb = Verb::Compute,
            .lane = Lane::Input,
            .combine = Operator::Max,
            .stream = 255,
            .target = INT32_MAX,
            .from = {1, UINT64_MAX, 1},
            .into = {0, 0, UINT64_MAX}};
  step.wait_for(UINT32_MAX);
  step.wait_for(0);
  step.wait_for(7);
  schedule.fragments = {
      {.name = "f/0",
       .bucket = INT32_MAX,
       .steps = std::make_shared<StepList>(std::vector<std::vector<Step>>{{step}}),
       .after = {{4294967295u, 4294967294u}, {7}, {3, After::kWhole, 65536}},
       .own_pace = true}};
  schedule.buffers[1].commutes = true;
  check_round_trip(schedule);
}

TEST_CASE("schedule json: reads as people would write it", "[schedule][json]") {
  const Schedule schedule = collectives::all_reduce_schedule(collectives::Algorithm::Ring, 2, 3, 0);
  CHECK(to_json(schedule) == R"({"name": "ring all-reduce",
  "ranks": 2,
  "buffers": [
    {"name":"data","count":3,"type":"float32"},
    {"name":"scratch","count":0,"type":"float32"}],
  "fragments": [
    {"name": "all-reduce", "bucket": 0, "after": [],
     "programs": [
      {"rounds": 2, "steps_per_round": 2, "rounds_in_flight": 3, "steps": [
        {"verb":"send","target":1,"from":{"buffer":"data","first":2,"count":1}},
        {"verb":"recv","combine":"sum","target":1,"into":{"buffer":"data","first":0,"count":2}},
        {"verb":"send","target":1,"from":{"buffer":"data","first":0,"count":2},"after":[1]},
        {"verb":"recv","target":1,"into":{"buffer":"data","first":2,"count":1},"after":[0]}]},
      {"rounds": 2, "steps_per_round": 2, "rounds_in_flight": 3, "steps": [
        {"verb":"send","target":0,"from":{"buffer":"data","first":0,"count":2}},
        {"verb":"recv","combine":"sum","target":0,"into":{"buffer":"data","first":2,"count":1}},
        {"verb":"send","target":0,"from":{"buffer":"data","first":2,"count":1},"after":[1]},
        {"verb":"recv","target":0,"into":{"buffer":"data","first":0,"count":2},"after":[0]}]}]}]}
)");
  // One program for all ranks, defaults left out, any layout.
  const Schedule written =
      parse_schedule(with_step(R"({"verb": "combine", "combine": "max", "after": [0],
                    "from": {"buffer": "data", "first": 0, "count": 4},
                    "into": {"buffer": "data", "first": 4, "count": 4}})"),
                     "s.json");
  Step expected{
      .verb = Verb::Combine, .combine = Operator::Max, .from = {0, 0, 4}, .into = {0, 4, 4}};
  expected.wait_for(0);
  for (Rank rank = 0; rank < 2; ++rank)
    CHECK(steps_of(written.fragments[0], rank) == std::vector{Step{}, expected});
  CHECK(written.fragments[0].bucket == -1);
}

TEST_CASE("schedule json: what is wrong with a step is said with its place", "[schedule][json]") {
  CHECK(error_of(with_step("{}")) == "no error");
  CHECK(error_of(with_step(R"({"verb": "sned"})")) ==
        kStep +
            "/verb: expected one of nothing, compute, send, recv, combine, encode, decode, is "
            "\"sned\"; did "
            "you mean \"send\"?");
  CHECK(error_of(with_step(R"({"combine": "median"})")) ==
        kStep + "/combine: expected one of replace, sum, max, is \"median\"");
  CHECK(error_of(with_step(R"({"lane": 1})")) == kStep + "/lane: must be a text, is 1");
  CHECK(error_of(with_step(R"({"traget": 1})")) ==
        kStep + "/traget: unknown key; did you mean \"target\"?");
  CHECK(error_of(with_step("7")) == kStep + ": must be an object, is 7");
  CHECK(error_of(with_step(R"({"target": -2})")) ==
        kStep + "/target: must be a whole number of at least -1, is -2");
  CHECK(error_of(with_step(R"({"target": 1.5})")) ==
        kStep + "/target: must be a whole number of at least -1, is 1.5");
  CHECK(error_of(with_step(R"({"stream": 256})")) ==
        kStep + "/stream: must be a whole number 0 … 255, is 256");
  CHECK(error_of(with_step(R"({"after": 0})")) ==
        kStep + "/after: must be a list of at most 3 steps");
  CHECK(error_of(with_step(R"({"after": [0, 0, 0, 0]})")) ==
        kStep + "/after: must be a list of at most 3 steps");
  CHECK(error_of(with_step(R"({"after": [0, -1]})")) ==
        kStep + "/after/1: must be a whole number of at least 0, is -1");
  CHECK(error_of(with_step(R"({"from": {"buffer": "dada", "first": 0, "count": 1}})")) ==
        kStep + "/from/buffer: there is no buffer \"dada\"; did you mean \"data\"?");
  CHECK(error_of(with_step(R"({"into": {"buffer": "data", "first": 0}})")) ==
        kStep + "/into: \"count\" is missing");
  CHECK(error_of(with_step(R"({"into": {"buffer": "data", "first": 0, "cuont": 1}})")) ==
        kStep + "/into/cuont: unknown key; did you mean \"count\"?");
}

TEST_CASE("schedule json: what is wrong with the frame is said with its place",
          "[schedule][json]") {
  const std::string good = with_step("{}");
  CHECK(error_of(with(good, "{}, {}", "{}")) ==
        "s.json: /fragments/0/programs/0/steps: rounds × steps_per_round is 2, but there are 1 "
        "steps");
  CHECK(
      error_of(with(good, "\"rounds\": 2", "\"rounds\": 4000000000")).find("is 4000000000, but") !=
      std::string::npos);
  CHECK(error_of(with(good, "\"rounds_in_flight\": 1", "\"rounds_in_flight\": 0")) ==
        "s.json: /fragments/0/programs/0/rounds_in_flight: must be a whole number of at least 1, "
        "is 0");
  CHECK(error_of(with(good, "\"ranks\": 2", "\"ranks\": 0")) ==
        "s.json: /ranks: must be a whole number 1 … 1048576, is 0");
  CHECK(error_of(with(with(good, "\"ranks\": 2", "\"ranks\": 3"), "[{}, {}]}",
                      R"([{}, {}]}, {"rounds": 0, "steps_per_round": 0, "rounds_in_flight": 1, )"
                      R"("steps": []})")) ==
        "s.json: /fragments/0/programs: expected one for all ranks or one for each of 3, there are "
        "2");
  CHECK(error_of(with(good, R"({"name": "data", "count": 8})",
                      R"({"name": "data", "count": 8}, {"name": "data", "count": 9})")) ==
        "s.json: /buffers/1/name: there are two buffers \"data\"");
  CHECK(error_of(with(good, "\"count\": 8", "\"count\": 8, \"type\": \"float36\"")) ==
        "s.json: /buffers/0/type: expected one of float32, float16, bfloat16, int8, byte, is "
        "\"float36\"; did you mean "
        "\"float32\"?");
  CHECK(error_of(with(good, "\"after\": []", "\"after\": [{\"step\": 1}]")) ==
        "s.json: /fragments/0/after/0: \"fragment\" is missing");
  CHECK(error_of(with(good, "\"name\": \"s\", ", "")) == "s.json: \"name\" is missing");
  CHECK(error_of(with(good, "\"fragments\"", "\"fragmants\"")) ==
        "s.json: /fragmants: unknown key; did you mean \"fragments\"?");
}

TEST_CASE("schedule json: text that is no JSON, or cut off anywhere, is refused",
          "[schedule][json]") {
  CHECK(error_of("").find("s.json: is not JSON") == 0);
  CHECK(error_of("[]") == "s.json: must be an object, is []");
  const std::string text =
      to_json(collectives::all_reduce_schedule(collectives::Algorithm::RecursiveDoubling, 3, 4, 0));
  for (std::size_t length = 0; length + 2 < text.size(); ++length)
    CHECK(error_of(text.substr(0, length)).find("s.json: is not JSON") == 0);
}

}  // namespace lockstep::schedule
