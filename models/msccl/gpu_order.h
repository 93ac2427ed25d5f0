// SPDX-License-Identifier: Apache-2.0
// What is over on a GPU when a step begins, by MSCCL's order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "models/msccl/numbering.h"

namespace lockstep::msccl {

/// Vector clocks, with thread blocks for processes: each step knows, of every block of its GPU, the
/// last step that is complete before it begins, because the steps before it, and those they wait
/// for, say so.
class GpuOrder {
 public:
  /// `order`: all steps of the GPU, each after those it waits for. The numbering must outlive it.
  GpuOrder(const Numbering& numbering, Rank gpu, std::span<const StepNumber> order)
      : numbering_(numbering),
        first_(numbering.first_of(gpu)),
        blocks_(numbering.program().gpus[static_cast<std::size_t>(gpu)].blocks.size()),
        known_(blocks_ * (numbering.end_of(gpu) - first_), kNothing) {
    for (const StepNumber n : order)
      for (const StepNumber before : {numbering.previous(n), numbering.awaited(n)}) {
        if (before == kNoStep) continue;
        for (std::size_t b = 0; b < blocks_; ++b)
          known(n, b) = std::max(known(n, b), known(before, b));
        std::int16_t& own = known(n, numbering.block_number(before));
        own = std::max(own, static_cast<std::int16_t>(numbering.position(before)));
      }
  }

  /// Whether `a` is complete before `b` begins.
  bool is_before(StepNumber a, StepNumber b) const {
    return known_[blocks_ * (b - first_) + numbering_.block_number(a)] >=
           static_cast<std::int16_t>(numbering_.position(a));
  }

 private:
  static constexpr std::int16_t kNothing = -1;
  std::int16_t& known(StepNumber n, std::size_t block) {
    return known_[blocks_ * (n - first_) + block];
  }

  const Numbering& numbering_;
  StepNumber first_;
  std::size_t blocks_;
  std::vector<std::int16_t> known_;  // by step, by block: a position, or kNothing
};

}  // namespace lockstep::msccl
