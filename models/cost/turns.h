// SPDX-License-Identifier: Apache-2.0
// What computing pays where threads have no processor for themselves: on a host with so many
// `cores`, where all ranks together have `threads` threads that compute.
#pragma once

#include "models/base/units.h"
#include "models/cost/machine.h"

namespace lockstep::cost {

/// When a kernel looks whether a quota is used up: with CONFIG_HZ=250, as most distributions build
/// it.
inline constexpr Time kKernelTick{4'000'000'000};
/// Seconds that a processor takes of a quota at a time (sched_cfs_bandwidth_slice_us).
inline constexpr double kQuotaSlice = 5e-3;

/// Standard deviation ÷ mean of a rank's computing in an iteration, which takes `seconds`. When
/// threads take turns is chance; the variances of turns add up, so that the variance ÷ mean is the
/// same for short and long iterations.
double compute_jitter(const Machine& machine, double cores, double threads, double seconds);

/// Of the processor time that computing takes, where the cores are a quota (their pauses themselves
/// are simulated: sim/runner/quotas.h). ≥ 1: after each pause caches are cold and the processor has
/// slept. Goes with the pause, 1 − cores ÷ threads.
double quota_slowdown(const Machine& machine, double cores, double threads);

}  // namespace lockstep::cost
