// SPDX-License-Identifier: Apache-2.0
// What computing pays where threads have no processor for themselves: on a host with so many
// `cores`, where all ranks together have `threads` threads that compute. A number of cores that is
// not whole is a quota q = cores ÷ threads of a processor for each thread, handed out period by
// period; where a period's share is used up there is a pause. Otherwise threads take turns.
#pragma once

#include "models/cost/machine.h"

namespace lockstep::cost {

/// Standard deviation ÷ mean of a rank's computing in an iteration, which takes `seconds`. When
/// turns and pauses come is chance; their variances add up, so that the variance ÷ mean is the same
/// for short and long iterations. Under a quota it goes with the square of the pause, (1 − q)².
double compute_jitter(const Machine& machine, double cores, double threads, double seconds);

/// Under a quota, ≥ 1: after each pause caches are cold and the processor has slept. Goes with the
/// pause, 1 − q.
double quota_slowdown(const Machine& machine, double cores, double threads);

}  // namespace lockstep::cost
