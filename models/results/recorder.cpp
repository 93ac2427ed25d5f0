// SPDX-License-Identifier: Apache-2.0
#include "models/results/recorder.h"

#include <algorithm>

namespace lockstep::results {

void Intervals::insert(Time start, Time end) {
  auto at = spans_.end();
  // Walk back over the spans that the new one touches or precedes; there are few, because ends
  // come nearly in order.
  while (at != spans_.begin() && std::prev(at)->start > end)
    --at;
  auto first = at;
  while (first != spans_.begin() && std::prev(first)->end >= start) {
    --first;
    start = std::min(start, first->start);
    end = std::max(end, first->end);
  }
  if (first == at) {
    spans_.insert(at, {start, end});
  } else {
    *first = {start, end};
    spans_.erase(std::next(first), at);
  }
}

Time Intervals::total() const {
  Time sum;
  for (const Span& span : spans_)
    sum += span.end - span.start;
  return sum;
}

Intervals intersect(const Intervals& a, const Intervals& b) {
  Intervals both;
  auto i = a.spans().begin();
  auto j = b.spans().begin();
  while (i != a.spans().end() && j != b.spans().end()) {
    both.add(std::max(i->start, j->start), std::min(i->end, j->end));
    if (i->end < j->end)
      ++i;
    else
      ++j;
  }
  return both;
}

Intervals subtract(const Intervals& a, const Intervals& b) {
  Intervals rest;
  auto j = b.spans().begin();
  for (Intervals::Span span : a.spans()) {
    while (j != b.spans().end() && j->end <= span.start)
      ++j;
    for (auto k = j; k != b.spans().end() && k->start < span.end; ++k) {
      rest.add(span.start, k->start);
      span.start = std::max(span.start, k->end);
    }
    rest.add(span.start, span.end);
  }
  return rest;
}

IterationFigures IterationRecorder::finish(Time start, Time end) {
  // What a rank does at its own pace may have begun in an earlier iteration.
  Intervals iteration;
  iteration.add(start, end);
  const Intervals exposed = intersect(subtract(communicated_, computed_), iteration);
  const IterationFigures figures{start, end, computed_.total(), exposed.total(),
                                 subtract(exposed, moved_).total()};
  computed_.clear();
  communicated_.clear();
  moved_.clear();
  return figures;
}

}  // namespace lockstep::results
