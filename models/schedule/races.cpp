// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/races.h"

#include "models/schedule/accesses.h"
#include "models/schedule/own_order.h"

namespace lockstep::schedule {

namespace {

/// Goes through a rank's steps in program order, which its own order never contradicts.
class RaceSearch {
 public:
  RaceSearch(const Unrolled& unrolled, const Messages& messages, Findings& findings)
      : unrolled_(unrolled), messages_(messages), order_(unrolled, messages), findings_(findings) {}

  void search(Rank rank) {
    Accesses accesses(unrolled_.schedule().buffers, unrolled_.schedule().codes);
    for (StepId id = unrolled_.first_of(rank); id < unrolled_.end_of(rank); ++id) {
      if (findings_.is_full()) return;
      check_channel(id);
      accesses.add(id, unrolled_.step(id),
                   [&](StepId earlier, std::uint32_t buffer, std::uint64_t first,
                       std::uint64_t end) { demand_order(earlier, id, buffer, first, end); });
    }
  }

 private:
  void demand_order(StepId a, StepId b, std::uint32_t buffer, std::uint64_t first,
                    std::uint64_t end) {
    if (a == last_a_ && b == last_b_) return;
    last_a_ = a;
    last_b_ = b;
    if (order_.is_before(a, b)) return;
    findings_.add(b, "may run while " + unrolled_.name(a) + " is not complete, and both touch " +
                         name_of(unrolled_.schedule(), buffer, first, end) +
                         ": nothing on this rank orders them");
  }

  /// Progress keeps the order of a channel within a fragment only.
  void check_channel(StepId id) {
    const StepId previous = messages_.previous[id];
    if (previous == kNoStep ||
        unrolled_.section(previous).fragment == unrolled_.section(id).fragment)
      return;
    if (!order_.is_before(previous, id))
      findings_.add(id, "shares its channel with " + unrolled_.name(previous) +
                            ", and nothing on this rank orders them: messages may be mistaken");
  }

  const Unrolled& unrolled_;
  const Messages& messages_;
  OwnOrder order_;
  Findings& findings_;
  StepId last_a_ = kNoStep;  // neighbouring runs often ask the same again
  StepId last_b_ = kNoStep;
};

}  // namespace

void find_races(const Unrolled& unrolled, const Messages& messages, Findings& findings) {
  RaceSearch search(unrolled, messages, findings);
  for (Rank rank = 0; rank < unrolled.schedule().ranks; ++rank)
    search.search(rank);
}

}  // namespace lockstep::schedule
