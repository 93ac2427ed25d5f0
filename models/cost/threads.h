// SPDX-License-Identifier: Apache-2.0
// Thread counts that a row was not measured with.
#pragma once

#include <cstdint>
#include <optional>

#include "models/cost/machine.h"

namespace lockstep::cost {

struct ThreadedCost {
  LayerCost cost;
  std::int32_t fewest = 0;  // threads that the row was measured with: from … to
  std::int32_t most = 0;

  bool is_inside() const { return fewest <= cost.threads && cost.threads <= most; }
};

/// What a row takes with `threads` threads; nothing if nobody measured it. Between two thread
/// counts its speed, units per second, is a straight line. Outside them it is taken to grow with
/// the threads, which it may not: the residual says so.
std::optional<ThreadedCost> cost_with_threads(const Machine& machine, const RowName& row,
                                              std::int32_t threads);

}  // namespace lockstep::cost
