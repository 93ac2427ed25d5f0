// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/own_order.h"

#include <algorithm>

#include "models/schedule/event_graph.h"

namespace lockstep::schedule {

OwnOrder::OwnOrder(const Unrolled& unrolled, const Messages& messages)
    : unrolled_(unrolled), messages_(messages), seen_(2 * std::size_t{unrolled.size()}, 0) {
  const std::vector<Fragment>& fragments = unrolled.schedule().fragments;
  reach_.resize(fragments.size());
  for (std::uint32_t f = 0; f < fragments.size(); ++f) {
    reach_[f].resize(f);
    for (const After& after : fragments[f].after) {
      // What was complete when the fragment began that is waited for, is complete too.
      for (std::uint32_t earlier = 0; earlier < after.fragment; ++earlier) {
        const Reach& known = reach_[after.fragment][earlier];
        Reach& reach = reach_[f][earlier];
        reach.whole |= known.whole;
        reach.steps.insert(reach.steps.end(), known.steps.begin(), known.steps.end());
      }
      Reach& reach = reach_[f][after.fragment];
      if (after.step == After::kWhole)
        reach.whole = true;
      else
        reach.steps.push_back(after.step);
    }
    for (Reach& reach : reach_[f]) {
      if (reach.whole) reach.steps.clear();
      std::sort(reach.steps.begin(), reach.steps.end());
      reach.steps.erase(std::unique(reach.steps.begin(), reach.steps.end()), reach.steps.end());
    }
  }
}

bool OwnOrder::is_before(StepId a, StepId b) {
  const Section& section = unrolled_.section(a);
  const Section& later = unrolled_.section(b);
  ++search_;
  goal_ = a;
  found_ = false;
  pending_.clear();
  if (section.fragment == later.fragment) {
    see_start(b);
  } else {
    const Reach& reach = reach_[later.fragment][section.fragment];
    if (reach.whole) return true;
    for (const StepIndex step : reach.steps)
      see_completion(section.first + step);
  }
  return search(a, section);
}

/// Walks back from the events seen so far until the completion of `a` is met. All edges lead from
/// smaller to larger steps, so nothing at or before `a` is worth a look; nor are rounds that are
/// as far from its round as may be in flight: those wait for all of its round.
bool OwnOrder::search(StepId a, const Section& section) {
  const std::uint32_t round = section.round_of(a);
  while (!found_ && !pending_.empty()) {
    const Event event = pending_.back();
    pending_.pop_back();
    const StepId id = event / 2;
    const StepId previous = messages_.previous[id];
    const bool has_previous = previous != kNoStep && previous >= section.first;
    if (event == completion_of(id)) {
      if (has_previous) see_completion(previous);
      see_start(id);
      continue;
    }
    if (section.round_of(id) - round >= section.shape.rounds_in_flight) return true;
    if (has_previous) see_start(previous);
    const Step& step = unrolled_.step(id);
    if (step.verb == Verb::Nothing) continue;
    for (std::uint32_t d = 0; d < step.after_count; ++d)
      see_completion(section.first + step.after[d]);
  }
  return found_;
}

void OwnOrder::see_start(StepId id) {
  if (id <= goal_ || seen_[start_of(id)] == search_) return;
  seen_[start_of(id)] = search_;
  pending_.push_back(start_of(id));
}

void OwnOrder::see_completion(StepId id) {
  if (id == goal_) found_ = true;
  if (id <= goal_ || seen_[completion_of(id)] == search_) return;
  seen_[completion_of(id)] = search_;
  pending_.push_back(completion_of(id));
}

}  // namespace lockstep::schedule
