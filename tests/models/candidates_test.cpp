// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/candidates.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

namespace lockstep::collectives {
namespace {

const IdealNetwork kNetwork{Time::from_seconds(1e-5), 1e9};

Operation all_reduce(std::int32_t ranks, std::uint64_t count) {
  return {.ranks = ranks, .data = {0, 0, count}, .scratch = {}, .groups = {}};
}

std::set<Algorithm> algorithms_of(const std::vector<Choice>& choices) {
  std::set<Algorithm> algorithms;
  for (const Choice& choice : choices)
    algorithms.insert(choice.algorithm);
  return algorithms;
}

TEST_CASE("candidates: every algorithm, segments only where they cut something",
          "[collectives][candidates]") {
  const std::vector<Choice> few = candidates(all_reduce(4, 1000), -1, kNetwork, 1e9);
  CHECK(algorithms_of(few).size() == all_algorithms().size());
  CHECK(std::all_of(few.begin(), few.end(), [](const Choice& c) { return c.segment_bytes == 0; }));
  const std::vector<Choice> many = candidates(all_reduce(4, 1 << 22), -1, kNetwork, 1e9);  // 16 MiB
  const auto has = [&](Algorithm algorithm, std::uint64_t segment) {
    return std::any_of(many.begin(), many.end(), [&](const Choice& c) {
      return c.algorithm == algorithm && c.segment_bytes == segment;
    });
  };
  CHECK(has(Algorithm::Ring, 1 << 20));
  CHECK_FALSE(has(Algorithm::Ring, 4 << 20));  // that is a whole chunk
  CHECK(has(Algorithm::BinomialTree, 4 << 20));
}

TEST_CASE("candidates: in the order of the closed forms, without those that are hopeless",
          "[collectives][candidates]") {
  const std::uint64_t count = GENERATE(1, 100, 1'000'000, 100'000'000);
  const std::int32_t ranks = GENERATE(2, 7, 64);
  const double spread = GENERATE(1.0, 1.5, 8.0);
  const Operation operation = all_reduce(ranks, count);
  const std::vector<Choice> choices = candidates(operation, -1, kNetwork, spread);
  REQUIRE_FALSE(choices.empty());
  std::vector<double> seconds;
  for (const Choice& choice : choices)
    seconds.push_back(closed_form(choice.algorithm, with(operation, choice), kNetwork).seconds());
  CHECK(std::is_sorted(seconds.begin(), seconds.end()));
  CHECK(seconds.back() <= spread * seconds.front());
  for (const Algorithm algorithm : all_algorithms())
    CHECK(closed_form(algorithm, operation, kNetwork).seconds() >= seconds.front() * (1 - 1e-12));
}

TEST_CASE("candidates: a given size of segments is not open", "[collectives][candidates]") {
  for (const Choice& choice : candidates(all_reduce(5, 1 << 20), 4096, kNetwork, 1e9))
    CHECK(choice.segment_bytes == 4096);
}

TEST_CASE("candidates: parts of an operation cover its data", "[collectives][candidates]") {
  const std::uint64_t count = GENERATE(0, 1, 2, 10, 1003);
  const std::size_t parts = GENERATE(1, 2, 3, 7);
  std::uint64_t next = 5;
  for (std::size_t part = 0; part < parts; ++part) {
    const schedule::Slice slice = part_of({2, 5, count}, part, parts);
    CHECK(slice.buffer == 2);
    CHECK(slice.first == next);
    next += slice.count;
  }
  CHECK(next == 5 + count);
}

}  // namespace
}  // namespace lockstep::collectives
