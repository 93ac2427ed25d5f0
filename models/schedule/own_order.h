// SPDX-License-Identifier: Apache-2.0
// Which steps of a rank are ordered by what the rank itself knows, without any message.
#pragma once

#include <cstdint>
#include <vector>

#include "models/schedule/unrolled.h"

namespace lockstep::schedule {

/// Answers for pairs of steps of one rank. Counted are dependencies, fragments, rounds in flight,
/// and the order of starts and completions on the channels of a fragment; lanes are not, because a
/// lane takes whichever step is ready. Both arguments must outlive it.
class OwnOrder {
 public:
  OwnOrder(const Unrolled& unrolled, const Messages& messages);

  /// Whether `a` is always complete before `b` starts. `a` stands before `b` in program order, on
  /// the same rank.
  bool is_before(StepId a, StepId b);

 private:
  /// What of a fragment is complete when a later fragment begins.
  struct Reach {
    bool whole = false;
    std::vector<StepIndex> steps;
  };

  bool search(StepId a, const Section& section);
  void see_start(StepId id);
  void see_completion(StepId id);

  const Unrolled& unrolled_;
  const Messages& messages_;
  std::vector<std::vector<Reach>> reach_;  // by fragment, by earlier fragment
  // A search: events of the section that are known to precede the one asked about.
  std::uint32_t search_ = 0;
  StepId goal_ = kNoStep;
  bool found_ = false;
  std::vector<std::uint32_t> seen_;  // by event: the last search that saw it
  std::vector<std::uint32_t> pending_;
};

}  // namespace lockstep::schedule
