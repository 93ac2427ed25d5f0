// SPDX-License-Identifier: Apache-2.0
#include "sim/runner/footprints.h"

#include "tests/sim/scenario.h"

namespace lockstep::sim {
namespace {

constexpr std::uint64_t kBlock = 8192;  // elements that are remembered together
constexpr double kBlockBytes = 4 * kBlock;

struct Ranks {
  explicit Ranks(std::vector<HostId> hosts_) : hosts(std::move(hosts_)) {
    schedule.ranks = static_cast<std::int32_t>(hosts.size());
    schedule.buffers = {{.name = "data", .count = 4 * kBlock + 5},
                        {.name = "scratch", .count = kBlock}};
  }
  Schedule schedule;
  std::vector<HostId> hosts;
  Footprints footprints{schedule, hosts};
};

TEST_CASE("footprints: what was touched last is as old as what was touched since then", "[sim]") {
  Ranks ranks({0});
  CHECK(ranks.footprints.touch(0, {0, 0, kBlock}) == 0);
  CHECK(ranks.footprints.touch(0, {0, kBlock, kBlock}) == kBlockBytes);  // since time zero
  CHECK(ranks.footprints.touch(0, {0, 0, kBlock}) == kBlockBytes);
  CHECK(ranks.footprints.touch(0, {0, 0, kBlock}) == 0);
}

TEST_CASE("footprints: hosts have clocks of their own, ranks of a host share one", "[sim]") {
  Ranks ranks({0, 0, 1});
  ranks.footprints.touch(0, {0, 0, kBlock});
  CHECK(ranks.footprints.touch(1, {0, 0, kBlock}) == kBlockBytes);
  CHECK(ranks.footprints.touch(2, {0, 0, kBlock}) == 0);
}

TEST_CASE("footprints: a slice is as old as its elements on average", "[sim]") {
  Ranks ranks({0});
  ranks.footprints.touch(0, {0, 0, kBlock});
  // A quarter of the first block, touched a moment ago, and half of the second, never touched.
  const double age = ranks.footprints.touch(0, {0, 3 * kBlock / 4, kBlock / 4 + kBlock / 2});
  CHECK(age == Approx(kBlock / 2 * kBlockBytes / (0.75 * kBlock)));
}

TEST_CASE("footprints: buffers are apart, and their ragged ends and nothing are fine", "[sim]") {
  Ranks ranks({0});
  ranks.footprints.touch(0, {0, 0, kBlock});
  CHECK(ranks.footprints.touch(0, {1, 0, kBlock}) == kBlockBytes);
  CHECK(ranks.footprints.touch(0, {0, 4 * kBlock, 5}) == 2 * kBlockBytes);
  CHECK(ranks.footprints.touch(0, {0, 0, 0}) == 0);
  CHECK(ranks.footprints.touch(0, {1, 0, kBlock}) == 4 * 5);
}

}  // namespace
}  // namespace lockstep::sim
