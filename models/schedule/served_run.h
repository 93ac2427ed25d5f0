// SPDX-License-Identifier: Apache-2.0
// The part of the proof that runs a server of parameters on sets of gradients instead of numbers.
#pragma once

#include <span>

#include "models/schedule/event_graph.h"
#include "models/schedule/findings.h"
#include "models/schedule/unrolled.h"
#include "models/schedule/verify.h"

namespace lockstep::schedule {

/// Runs all ranks in `order` like find_wrong_values(), over the iterations of the contract's
/// service, and finds what breaks its promises (verify.h). Steps on what is served come in any
/// order: what a worker is handed is taken to contain only what is always applied before.
void find_wrong_service(const Unrolled& unrolled, const Messages& messages,
                        std::span<const Event> order, const Contract& contract, Findings& findings);

}  // namespace lockstep::schedule
