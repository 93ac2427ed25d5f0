// SPDX-License-Identifier: Apache-2.0
// Several iterations of a schedule as one, for proofs.
#pragma once

#include <cstdint>

#include "models/schedule/schedule.h"

namespace lockstep::schedule {

/// Iterations 0 … `iterations` − 1 one behind the other, as Progress runs them: each has the
/// fragments of the schedule, in their order, and behind them one that is the end of the rank's
/// iteration. No fragment of it has a pace of its own or waits for another iteration.
Schedule spanning(const Schedule& schedule, std::int32_t iterations);

/// Which iteration fragment `fragment` of spanning(…, `iterations`) belongs to.
inline std::int32_t iteration_of(const Schedule& spanning, std::int32_t iterations,
                                 std::uint32_t fragment) {
  const std::size_t each = spanning.fragments.size() / static_cast<std::size_t>(iterations);
  return static_cast<std::int32_t>(fragment / each);
}

}  // namespace lockstep::schedule
