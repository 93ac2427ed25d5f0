// SPDX-License-Identifier: Apache-2.0
// The definition of every per-rank figure of an iteration, over what happened when. The simulator
// and the executor feed it alike, so that a predicted and a measured figure mean the same.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "models/base/units.h"

namespace lockstep::results {

/// Disjoint spans of time, kept merged. Spans are added roughly in order of their ends.
class Intervals {
 public:
  struct Span {
    Time start;
    Time end;
  };
  void add(Time start, Time end) {
    if (end <= start) return;
    if (!spans_.empty() && spans_.back().start <= start && start <= spans_.back().end)
      spans_.back().end = std::max(spans_.back().end, end);
    else
      insert(start, end);
  }
  void clear() { spans_.clear(); }
  const std::vector<Span>& spans() const { return spans_; }
  Time total() const;

 private:
  void insert(Time start, Time end);

  std::vector<Span> spans_;
};

/// What is in `a` and not in `b`; what is in both.
Intervals subtract(const Intervals& a, const Intervals& b);
Intervals intersect(const Intervals& a, const Intervals& b);

/// One rank, one iteration.
struct IterationFigures {
  Time start;
  Time end;
  Time compute;  // compute lane busy
  Time exposed;  // compute lane idle while communication is outstanding
  Time waiting;  // of which nothing moves to or from this rank: others are not yet ready

  Time duration() const { return end - start; }
};

/// Collects one iteration of one rank, then starts on the next.
class IterationRecorder {
 public:
  /// A step held the compute lane.
  void computed(Time start, Time end) { computed_.add(start, end); }
  /// A communication step was outstanding from its start to its completion. It moved from `moving`
  /// on: a receive when its sender has started to send, any other step at once.
  void communicated(Time start, Time moving, Time end) {
    communicated_.add(start, end);
    moved_.add(std::max(start, moving), end);
  }
  /// The figures of the iteration [start, end]; forgets what it collected.
  IterationFigures finish(Time start, Time end);

 private:
  Intervals computed_;
  Intervals communicated_;
  Intervals moved_;
};

}  // namespace lockstep::results
