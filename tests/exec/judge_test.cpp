// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/judge.h"

#include <catch2/catch.hpp>

namespace lockstep::exec {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kTimeout = 5 * kSecond;

std::vector<std::string> names(int ranks) {
  std::vector<std::string> names;
  for (int r = 0; r < ranks; ++r)
    names.push_back("rank " + std::to_string(r) + " (host a, pid " + std::to_string(100 + r) + ")");
  return names;
}

TEST_CASE("judge: silence is judged when the timeout is over, not before", "[exec][judge]") {
  Judge judge(0, names(3), kTimeout, 0);
  judge.heard(1, 2 * kSecond);
  judge.heard(2, 3 * kSecond);
  CHECK(judge.next_deadline_ns() == 7 * kSecond);  // of rank 1: 2 s + 5 s
  CHECK_FALSE(judge.verdict(7 * kSecond - 1));
  const auto verdict = judge.verdict(7 * kSecond);
  REQUIRE(verdict);
  CHECK(verdict->peer == 1);
  CHECK(verdict->cause == "lost rank 1 (host a, pid 101): no heartbeat for 5 s");
}

TEST_CASE("judge: ranks other than 0 watch rank 0 only", "[exec][judge]") {
  Judge judge(2, names(3), kTimeout, 0);
  judge.heard(0, 4 * kSecond);
  CHECK_FALSE(judge.verdict(6 * kSecond));  // rank 1 has been silent for 6 s
  judge.ended(0, "connection closed");
  REQUIRE(judge.verdict(6 * kSecond));
  CHECK(judge.verdict(6 * kSecond)->cause == "lost rank 0 (host a, pid 100): connection closed");
}

TEST_CASE("judge: the first finding stands", "[exec][judge]") {
  Judge judge(0, names(3), kTimeout, 0);
  judge.failed(2, "no more memory");
  judge.ended(1, "connection closed");
  CHECK(judge.verdict(0)->cause == "rank 2 (host a, pid 102) failed: no more memory");
  CHECK(judge.verdict(9 * kSecond)->peer == 2);
}

TEST_CASE("judge: a suspicion waits half a second for better evidence", "[exec][judge]") {
  Judge judge(0, names(3), kTimeout, 0);
  judge.suspected(1, 2, "connection reset", kSecond);
  CHECK(judge.next_deadline_ns() == kSecond + kSecond / 2);
  CHECK_FALSE(judge.verdict(kSecond));
  SECTION("and is believed without") {
    CHECK(judge.verdict(2 * kSecond)->cause ==
          "lost rank 2 (host a, pid 102): connection reset (seen by rank 1)");
  }
  SECTION("which counts for more") {
    judge.failed(1, "an error of its own");
    CHECK(judge.verdict(2 * kSecond)->peer == 1);
  }
}

TEST_CASE("judge: who has left may fall silent and hang up", "[exec][judge]") {
  Judge judge(0, names(2), kTimeout, 0);
  judge.left(1);
  judge.ended(1, "connection closed");
  CHECK_FALSE(judge.verdict(100 * kSecond));
  CHECK(judge.next_deadline_ns() == INT64_MAX);
}

TEST_CASE("judge: what was not heard while this rank slept is forgiven", "[exec][judge]") {
  Judge judge(0, names(2), kTimeout, 0);
  judge.slept(60 * kSecond);
  CHECK_FALSE(judge.verdict(60 * kSecond));
  CHECK(judge.verdict(65 * kSecond));
}

TEST_CASE("judge: equal parameters are fine, in whatever order the ranks speak", "[exec][judge]") {
  Judge judge(0, names(3), kTimeout, 0);
  for (const std::int32_t iteration : {10, 20})
    for (const Rank rank : {2, 0, 1})
      judge.hashed(rank, iteration, 7);
  CHECK_FALSE(judge.verdict(0));
}

TEST_CASE("judge: the rank whose parameters differ from most is named", "[exec][judge]") {
  Judge judge(0, names(3), kTimeout, 0);
  judge.hashed(0, 20, 7);
  judge.hashed(1, 20, 8);
  CHECK_FALSE(judge.verdict(0));
  judge.hashed(2, 20, 7);
  REQUIRE(judge.verdict(0));
  CHECK(judge.verdict(0)->peer == 1);
  CHECK(judge.verdict(0)->cause ==
        "different parameters after iteration 20 on rank 1 (host a, pid 101) "
        "(hash 0000000000000008) than on most ranks (hash 0000000000000007)");
}

TEST_CASE("judge: of two ranks that differ, both are named", "[exec][judge]") {
  Judge judge(0, names(2), kTimeout, 0);
  judge.hashed(0, 4, 1);
  judge.hashed(1, 4, 2);
  REQUIRE(judge.verdict(0));
  CHECK(judge.verdict(0)->peer == -1);
  CHECK(judge.verdict(0)->cause ==
        "different parameters after iteration 4 on rank 0 (host a, pid 100) "
        "(hash 0000000000000001), rank 1 (host a, pid 101) (hash 0000000000000002)");
}

}  // namespace
}  // namespace lockstep::exec
