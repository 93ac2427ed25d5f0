// SPDX-License-Identifier: Apache-2.0
// A value for every element of a buffer, stored as runs of equal values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace lockstep::schedule {

/// Over the elements 0 … count−1. Cheap while the runs are few (some thousand).
template <typename Value>
class IntervalMap {
 public:
  IntervalMap(std::uint64_t count, Value initial) : count_(count), runs_{{0, initial}} {}

  /// Calls visit(first, end, value) for the runs within [first, end), cut to it, in order.
  template <typename Visit>
  void visit(std::uint64_t first, std::uint64_t end, Visit visit) const {
    if (first >= end) return;
    for (std::size_t i = run_at(first); i < runs_.size() && runs_[i].first < end; ++i)
      visit(std::max(first, runs_[i].first), std::min(end, end_of(i)), runs_[i].value);
  }

  /// Replaces the value of each run within [first, end) by change(first, end, value).
  template <typename Change>
  void change(std::uint64_t first, std::uint64_t end, Change change) {
    if (first >= end) return;
    std::size_t i = cut(first);
    for (const std::size_t last = cut(end); i < last; ++i)
      runs_[i].value = change(runs_[i].first, end_of(i), runs_[i].value);
  }

  void assign(std::uint64_t first, std::uint64_t end, const Value& value) {
    if (first >= end) return;
    std::size_t i = cut(first);
    const std::size_t last = cut(end);
    runs_[i].value = value;
    if (i > 0 && runs_[i - 1].value == value) --i;
    runs_.erase(at(i + 1), at(last));
    if (i + 1 < runs_.size() && runs_[i + 1].value == value) runs_.erase(at(i + 1));
  }

 private:
  struct Run {
    std::uint64_t first;
    Value value;
  };

  auto at(std::size_t i) { return runs_.begin() + static_cast<std::ptrdiff_t>(i); }
  std::uint64_t end_of(std::size_t i) const {
    return i + 1 < runs_.size() ? runs_[i + 1].first : count_;
  }
  /// The run that holds `element`.
  std::size_t run_at(std::uint64_t element) const {
    const auto after =
        std::upper_bound(runs_.begin(), runs_.end(), element,
                         [](std::uint64_t wanted, const Run& run) { return wanted < run.first; });
    return static_cast<std::size_t>(after - runs_.begin()) - 1;
  }
  /// The run that begins at `element`, made to if need be; the number of runs at the end.
  std::size_t cut(std::uint64_t element) {
    if (element >= count_) return runs_.size();
    const std::size_t i = run_at(element);
    if (runs_[i].first == element) return i;
    runs_.insert(at(i + 1), Run{element, runs_[i].value});
    return i + 1;
  }

  std::uint64_t count_;
  std::vector<Run> runs_;
};

}  // namespace lockstep::schedule
