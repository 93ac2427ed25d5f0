// SPDX-License-Identifier: Apache-2.0
// Predictions under conditions: what disturbs a job, and what a failure does to it.
#pragma once

#include <string>
#include <vector>

#include "cli/job_options.h"
#include "models/results/result.h"
#include "sim/runner/simulation.h"

namespace lockstep::cli {

/// Adds the conditions of a file to the job. Throws ConfigError, also when the job cannot be
/// simulated under them.
void read_conditions(const std::string& path, ResolvedJob& resolved);
/// The same from a file's text.
void set_conditions(const std::string& text, const std::string& where, ResolvedJob& resolved);

/// All but failures that come later than at once.
sim::Disturbances disturbances_of(const ResolvedJob& resolved);

/// When there are other jobs: of this one, whose mean iteration is `seconds`, and of each of them.
std::vector<results::JobFigures> job_figures(const ResolvedJob& resolved, const Machines& machines,
                                             double seconds);

/// Of the failure that the conditions have. `seconds`: the mean iteration without it.
results::FailureFigures after_failure(const ResolvedJob& resolved, const Machines& machines,
                                      const cost::CostModel& cost, double seconds);

/// The lines of a summary, if there are conditions.
void print_conditions(const results::Result& result);

}  // namespace lockstep::cli
