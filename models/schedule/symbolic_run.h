// SPDX-License-Identifier: Apache-2.0
// The part of the proof that runs a schedule on sets of ranks instead of numbers.
#pragma once

#include <span>

#include "models/schedule/event_graph.h"
#include "models/schedule/findings.h"
#include "models/schedule/unrolled.h"
#include "models/schedule/verify.h"

namespace lockstep::schedule {

/// Runs all ranks in `order`, which holds every event after those it waits for, and finds sums that
/// count a rank twice or mix elements, reads of what was never written, and whatever the contract
/// does not allow. All messages must be matched; without races the order makes no difference.
void find_wrong_values(const Unrolled& unrolled, const Messages& messages,
                       std::span<const Event> order, const Contract& contract, Findings& findings);

}  // namespace lockstep::schedule
