// SPDX-License-Identifier: Apache-2.0
// The same steps by ranks in another order: a ring of another stride, a tree with another root.
#pragma once

#include <memory>
#include <vector>

#include "models/schedule/schedule.h"

namespace lockstep::schedule {

/// Rank number[r] does what rank r does in `steps`, and every peer is renumbered alike. `number` is
/// a permutation of 0 … ranks−1.
std::shared_ptr<const StepSource> renumber(std::shared_ptr<const StepSource> steps,
                                           std::vector<Rank> number);

}  // namespace lockstep::schedule
