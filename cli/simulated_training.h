// SPDX-License-Identifier: Apache-2.0
// As much of a training as has to be simulated to know all of it.
#pragma once

#include "cli/job_options.h"
#include "cli/prediction.h"
#include "sim/runner/simulation.h"

namespace lockstep::cli {

/// Standard deviation ÷ mean of what the computing of an iteration takes: the conditions' word, or
/// else what was measured, of rank 0 for all, which on an ideal network is left out.
double jitter_of(const ResolvedJob& resolved, const cost::CostModel& cost);

/// Simulates a few iterations of each stretch of the training that goes on in one way (one batch;
/// synchronous, or local, whole turns between averages), and lays them out as they follow each
/// other in the job's iterations. How long a job lasts whose iterations are not given yet, nobody
/// knows: it is all the last stretch. Hosts and links are `topology`'s, which may differ from the
/// job's in its figures.
sim::SimulatedRun simulate_training(const ResolvedJob& resolved, const topology::Topology& topology,
                                    const Machines& machines, const Wanted& wanted);

}  // namespace lockstep::cli
