// SPDX-License-Identifier: Apache-2.0
#include "models/results/recorder.h"

#include <bitset>
#include <catch2/catch.hpp>

#include "models/base/random.h"

namespace lockstep::results {
namespace {

using Pairs = std::vector<std::pair<std::int64_t, std::int64_t>>;

Intervals of(const Pairs& pairs) {
  Intervals intervals;
  for (const auto& [start, end] : pairs)
    intervals.add(Time{start}, Time{end});
  return intervals;
}

Pairs pairs_of(const Intervals& intervals) {
  Pairs pairs;
  for (const Intervals::Span& span : intervals.spans())
    pairs.emplace_back(span.start.picoseconds, span.end.picoseconds);
  return pairs;
}

/// The same as a bit per picosecond.
using Bits = std::bitset<64>;

Bits bits_of(const Intervals& intervals) {
  Bits bits;
  for (const Intervals::Span& span : intervals.spans())
    for (std::int64_t t = span.start.picoseconds; t < span.end.picoseconds; ++t)
      bits.set(static_cast<std::size_t>(t));
  return bits;
}

/// Sorted, none empty, none touching the next.
bool is_merged(const Intervals& intervals) {
  const std::vector<Intervals::Span>& spans = intervals.spans();
  for (std::size_t i = 0; i < spans.size(); ++i)
    if (spans[i].start >= spans[i].end || (i > 0 && spans[i - 1].end >= spans[i].start))
      return false;
  return true;
}

}  // namespace

TEST_CASE("recorder: spans that touch or overlap become one", "[results][recorder]") {
  CHECK(pairs_of(of({{0, 2}, {2, 4}})) == Pairs{{0, 4}});
  CHECK(pairs_of(of({{0, 2}, {3, 4}})) == Pairs{{0, 2}, {3, 4}});
  CHECK(pairs_of(of({{3, 4}, {0, 2}})) == Pairs{{0, 2}, {3, 4}});
  CHECK(pairs_of(of({{0, 2}, {4, 6}, {8, 9}, {1, 8}})) == Pairs{{0, 9}});
  CHECK(pairs_of(of({{0, 9}, {3, 4}})) == Pairs{{0, 9}});
  CHECK(pairs_of(of({{5, 6}, {0, 5}})) == Pairs{{0, 6}});
  CHECK(pairs_of(of({{3, 3}, {5, 4}})) == Pairs{});
  CHECK(of({{0, 2}, {1, 5}, {7, 8}}).total() == Time{6});  // 5 + 1
}

TEST_CASE("recorder: spans in any order, their union, intersection and difference are right",
          "[results][recorder]") {
  constexpr std::uint64_t kSeed = 21;
  for (std::uint64_t trial = 0; trial < 5000; ++trial) {
    INFO("seed " << kSeed << ", trial " << trial);
    Random random(kSeed, trial);
    Intervals intervals[2];
    Bits bits[2];
    for (int which = 0; which < 2; ++which)
      for (std::uint64_t n = random.below(12); n > 0; --n) {
        const auto start = static_cast<std::int64_t>(random.below(60));
        const std::int64_t end =
            std::min<std::int64_t>(64, start + static_cast<std::int64_t>(random.below(9)));
        intervals[which].add(Time{start}, Time{end});
        for (std::int64_t t = start; t < end; ++t)
          bits[which].set(static_cast<std::size_t>(t));
        REQUIRE(bits_of(intervals[which]) == bits[which]);
        REQUIRE(is_merged(intervals[which]));
      }
    const Intervals both = intersect(intervals[0], intervals[1]);
    const Intervals rest = subtract(intervals[0], intervals[1]);
    CHECK(bits_of(both) == (bits[0] & bits[1]));
    CHECK(bits_of(rest) == (bits[0] & ~bits[1]));
    CHECK(is_merged(both));
    CHECK(is_merged(rest));
    CHECK(both.total() + rest.total() == intervals[0].total());
    CHECK(both.total() == Time{static_cast<std::int64_t>((bits[0] & bits[1]).count())});
  }
}

TEST_CASE("recorder: an iteration's figures are what their definitions say",
          "[results][recorder]") {
  IterationRecorder recorder;
  //           0         1         2         3
  // computes  ##########..........#####.....   10 + 5 = 15
  // messages  .....#############.......###..   exposed: 10 … 18 and 26 … 29 → 8 + 3 = 11
  // move      .....#.......#####.......###..   all but 10 … 13 of it → 3
  recorder.computed(Time{0}, Time{6});
  recorder.computed(Time{6}, Time{10});
  recorder.communicated(Time{5}, Time{5}, Time{6});
  recorder.communicated(Time{9}, Time{13}, Time{18});
  recorder.communicated(Time{6}, Time{14}, Time{17});  // overlapping messages count once
  recorder.computed(Time{20}, Time{25});
  recorder.communicated(Time{26}, Time{25}, Time{29});  // sent before it was posted
  const IterationFigures figures = recorder.finish(Time{0}, Time{30});
  CHECK(figures.start == Time{0});
  CHECK(figures.end == Time{30});
  CHECK(figures.duration() == Time{30});
  CHECK(figures.compute == Time{15});
  CHECK(figures.exposed == Time{11});
  CHECK(figures.waiting == Time{3});

  // The next iteration starts afresh.
  recorder.computed(Time{31}, Time{33});
  recorder.communicated(Time{30}, Time{30}, Time{34});
  const IterationFigures next = recorder.finish(Time{30}, Time{36});
  CHECK(next.duration() == Time{6});
  CHECK(next.compute == Time{2});
  CHECK(next.exposed == Time{2});
  CHECK(next.waiting == Time{0});
}

TEST_CASE("recorder: waiting is a part of what is exposed, whatever is fed in",
          "[results][recorder]") {
  constexpr std::uint64_t kSeed = 22;
  for (std::uint64_t trial = 0; trial < 2000; ++trial) {
    INFO("seed " << kSeed << ", trial " << trial);
    Random random(kSeed, trial);
    IterationRecorder recorder;
    Bits computed;
    Bits communicated;
    Bits moved;
    for (std::uint64_t n = random.below(20); n > 0; --n) {
      const std::uint64_t start = random.below(60);
      const std::uint64_t end = start + random.below(65 - start);
      const Time from{static_cast<std::int64_t>(start)};
      const Time to{static_cast<std::int64_t>(end)};
      const std::uint64_t moving = random.below(65);
      const bool computes = random.below(2) == 0;
      if (computes)
        recorder.computed(from, to);
      else
        recorder.communicated(from, Time{static_cast<std::int64_t>(moving)}, to);
      for (std::uint64_t t = start; t < end; ++t) {
        (computes ? computed : communicated).set(t);
        if (!computes && t >= moving) moved.set(t);
      }
    }
    const auto time = [](const Bits& bits) {
      return Time{static_cast<std::int64_t>(bits.count())};
    };
    const IterationFigures figures = recorder.finish(Time{0}, Time{64});
    CHECK(figures.compute == time(computed));
    CHECK(figures.exposed == time(communicated & ~computed));
    CHECK(figures.waiting == time(communicated & ~computed & ~moved));
  }
}

}  // namespace lockstep::results
