// SPDX-License-Identifier: Apache-2.0
// The order within a rank that the race search relies on, against a plain search of all edges.
#include "models/schedule/own_order.h"

#include <catch2/catch.hpp>

#include "tests/support/random_schedule.h"

namespace lockstep::schedule {
namespace {

/// All edges of a rank's own order written out, by the definitions in schedule.h and progress.h.
/// Nodes: 2 × step for its start, one more for its completion, counting over all fragments; then
/// the beginning and the end of each fragment.
class Edges {
 public:
  Edges(const Schedule& schedule, Rank rank) {
    std::uint32_t steps = 0;
    for (const Fragment& fragment : schedule.fragments) {
      first_.push_back(steps);
      steps += static_cast<std::uint32_t>(steps_of(fragment, rank).size());
    }
    joints_ = 2 * steps;
    before_.resize(joints_ + 2 * schedule.fragments.size());
    for (std::uint32_t f = 0; f < schedule.fragments.size(); ++f)
      add_fragment(schedule, rank, f);
  }

  /// Whether the completion of step `a` of fragment `fa` precedes the start of step `b` of `fb`.
  bool is_before(std::uint32_t fa, StepIndex a, std::uint32_t fb, StepIndex b) const {
    const std::uint32_t goal = completion(fa, a);
    std::vector<bool> seen(before_.size());
    std::vector<std::uint32_t> pending{start(fb, b)};
    while (!pending.empty()) {
      const std::uint32_t node = pending.back();
      pending.pop_back();
      if (node == goal) return true;
      if (seen[node]) continue;
      seen[node] = true;
      pending.insert(pending.end(), before_[node].begin(), before_[node].end());
    }
    return false;
  }

 private:
  std::uint32_t start(std::uint32_t f, StepIndex i) const { return 2 * (first_[f] + i); }
  std::uint32_t completion(std::uint32_t f, StepIndex i) const { return start(f, i) + 1; }
  std::uint32_t beginning(std::uint32_t f) const { return joints_ + 2 * f; }
  std::uint32_t end(std::uint32_t f) const { return joints_ + 2 * f + 1; }
  void edge(std::uint32_t from, std::uint32_t to) { before_[to].push_back(from); }

  void add_fragment(const Schedule& schedule, Rank rank, std::uint32_t f) {
    const Fragment& fragment = schedule.fragments[f];
    const StepSource::Shape shape = fragment.steps->shape(rank);
    const std::vector<Step> steps = steps_of(fragment, rank);
    for (const After& after : fragment.after)
      edge(after.step == After::kWhole ? end(after.fragment)
                                       : completion(after.fragment, after.step),
           beginning(f));
    edge(beginning(f), end(f));
    for (StepIndex i = 0; i < steps.size(); ++i) {
      edge(beginning(f), start(f, i));
      edge(start(f, i), completion(f, i));
      edge(completion(f, i), end(f));
      const std::uint32_t round = i / shape.steps_per_round;
      for (StepIndex j = 0; j < i; ++j) {
        if (j / shape.steps_per_round + shape.rounds_in_flight <= round)
          edge(completion(f, j), start(f, i));
        const bool is_message = steps[i].verb == Verb::Send || steps[i].verb == Verb::Recv;
        if (is_message && steps[i].verb == steps[j].verb && steps[i].target == steps[j].target &&
            steps[i].stream == steps[j].stream) {
          edge(start(f, j), start(f, i));
          edge(completion(f, j), completion(f, i));
        }
      }
      for (std::uint32_t d = 0; d < steps[i].after_count; ++d)
        edge(completion(f, steps[i].after[d]), start(f, i));
    }
  }

  std::vector<std::uint32_t> first_;
  std::uint32_t joints_ = 0;
  std::vector<std::vector<std::uint32_t>> before_;  // by node, its predecessors
};

}  // namespace

TEST_CASE("own order: answers as a search over all edges does", "[schedule][verify]") {
  constexpr std::uint64_t kSeed = 99;
  std::uint64_t ordered = 0;
  std::uint64_t unordered = 0;
  for (std::uint64_t trial = 0; trial < 60; ++trial) {
    INFO("seed " << kSeed << ", trial " << trial);
    Random random(kSeed, trial);
    const Schedule schedule = support::random_schedule(random, 2);
    const Unrolled unrolled(schedule);
    const Messages messages(unrolled);
    OwnOrder order(unrolled, messages);
    for (Rank rank = 0; rank < 2; ++rank) {
      const Edges edges(schedule, rank);
      for (StepId b = unrolled.first_of(rank); b < unrolled.end_of(rank); ++b)
        for (StepId a = unrolled.first_of(rank); a < b; ++a) {
          const Section& of_a = unrolled.section(a);
          const Section& of_b = unrolled.section(b);
          const bool expected =
              edges.is_before(of_a.fragment, a - of_a.first, of_b.fragment, b - of_b.first);
          ++(expected ? ordered : unordered);
          if (order.is_before(a, b) == expected) continue;
          FAIL_CHECK(unrolled.name(a)
                     << (expected ? " is before " : " is not before ") << unrolled.name(b));
        }
    }
  }
  // Both answers were put to the test.
  CHECK(ordered > 1000);
  CHECK(unordered > 1000);
}

}  // namespace lockstep::schedule
