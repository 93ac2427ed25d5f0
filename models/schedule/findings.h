// SPDX-License-Identifier: Apache-2.0
// The violations that the parts of a proof collect.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/schedule/unrolled.h"
#include "models/schedule/verify.h"

namespace lockstep::schedule {

class Findings {
 public:
  static constexpr std::size_t kMost = 100;

  /// `unrolled` must outlive it.
  explicit Findings(const Unrolled& unrolled) : unrolled_(unrolled) {}

  /// Says `what` of a step; beyond kMost it is dropped.
  void add(StepId id, const std::string& what) {
    if (is_full()) return;
    const Section& section = unrolled_.section(id);
    violations_.push_back({section.rank, static_cast<std::int32_t>(section.fragment),
                           id - section.first, unrolled_.name(id) + ": " + what});
  }
  /// Says `what` of a rank as a whole, or (−1) of none.
  void add_general(Rank rank, const std::string& what) {
    if (!is_full()) violations_.push_back({rank, -1, 0, what});
  }
  bool is_full() const { return violations_.size() >= kMost; }
  bool is_empty() const { return violations_.empty(); }
  std::vector<Violation> take() { return std::move(violations_); }

 private:
  const Unrolled& unrolled_;
  std::vector<Violation> violations_;
};

/// "gradients[0, 1024)".
std::string name_of(const Schedule& schedule, std::uint32_t buffer, std::uint64_t first,
                    std::uint64_t end);

}  // namespace lockstep::schedule
