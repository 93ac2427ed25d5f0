// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/team.h"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "exec/kernels/share.h"

using namespace lockstep::exec;

TEST_CASE("team: every part runs once, on its own thread, and is over when run returns",
          "[kernels]") {
  for (const int threads : {1, 2, 3, 5}) {
    INFO(threads << " threads");
    Team team(threads);
    REQUIRE(team.size() == static_cast<std::size_t>(threads));
    // Plain values, not atomics: that they are visible here is a part of the promise.
    std::vector<int> runs(team.size());
    std::vector<std::thread::id> ids(team.size());
    for (int round = 0; round < 1000; ++round)
      team.run([&](std::size_t part) {
        ++runs[part];
        ids[part] = std::this_thread::get_id();
      });
    CHECK(runs == std::vector<int>(team.size(), 1000));
    CHECK(ids[0] == std::this_thread::get_id());
    for (std::size_t a = 0; a < ids.size(); ++a)
      for (std::size_t b = 0; b < a; ++b)
        CHECK(ids[a] != ids[b]);
  }
}

TEST_CASE("team: a team that never ran ends", "[kernels]") {
  for (int round = 0; round < 100; ++round) {
    const Team team(3);
    CHECK(team.size() == 3);
  }
}

TEST_CASE("team: shares cover everything once, in order, and differ by one at most", "[kernels]") {
  for (const std::size_t count : {0u, 1u, 2u, 3u, 7u, 100u})
    for (const std::size_t parts : {1u, 2u, 3u, 7u, 8u}) {
      INFO(count << " in " << parts);
      std::size_t next = 0;
      for (std::size_t part = 0; part < parts; ++part) {
        const Range range = share(count, part, parts);
        CHECK(range.first == next);
        CHECK((range.size() == count / parts || range.size() == count / parts + 1));
        next = range.last;
      }
      CHECK(next == count);
    }
}
