// SPDX-License-Identifier: Apache-2.0
// What calibration measures with several processes of this program, on this host or in a testbed.
#pragma once

#include <string>
#include <vector>

#include "cli/command_line.h"
#include "exec/testbed/testbed.h"
#include "models/cost/machine.h"
#include "models/training/job.h"

namespace lockstep::cli {

/// The network whose passes are always measured.
inline constexpr const char* kReference = "fashion-cnn";
/// Of one rank.
training::Job reference_job(std::int32_t batch);
/// Machine::turn_dispersion: the median of several rounds, lest a disturbed moment be taken for it.
double measure_turn_dispersion();
/// Seconds of passes of the reference network.
std::vector<double> time_passes();

/// Starts processes of this program that measure something together, each in a host of the testbed
/// if there is one; returns what rank 0 left. Throws ConfigError when one fails.
std::string measure_with(std::int32_t ranks, const Arguments& arguments,
                         const exec::Testbed* testbed = nullptr);

/// Messages between two hosts of a testbed, and computing in them.
void measure_between_hosts(cost::Machine& machine);

}  // namespace lockstep::cli
