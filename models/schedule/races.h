// SPDX-License-Identifier: Apache-2.0
// The part of the proof that looks for steps of one rank whose order is left to chance.
#pragma once

#include "models/schedule/findings.h"
#include "models/schedule/unrolled.h"

namespace lockstep::schedule {

/// Finds pairs of steps of a rank that touch the same element, one of them writing, and pairs of
/// steps of different fragments on one channel, that the rank's own order leaves unordered.
void find_races(const Unrolled& unrolled, const Messages& messages, Findings& findings);

}  // namespace lockstep::schedule
