// SPDX-License-Identifier: Apache-2.0
// From samples to the parameters of a machine. Pure arithmetic: what was measured goes in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "exec/calibration/message_timing.h"
#include "models/cost/machine.h"
#include "models/network/network.h"
#include "models/network/work.h"

namespace lockstep::exec {

/// Seconds of all rows of a work table at one batch.
struct RowSamples {
  std::int32_t batch = 0;
  std::vector<double> alone;
  std::vector<double> beside;  // beside a memory stream; empty where that was not measured
};

/// What rows were measured on.
struct TimedRows {
  const network::Network& network;
  std::int32_t threads = 1;
  double neighbour = 0;    // bytes/s: what the memory stream moves alone
  bool with_input = true;  // whether images were loaded
};

/// Adds each row of the table, a point for every batch. `machine` has the bandwidth of its memory.
/// A row that it has already keeps what it has.
void add_rows(cost::Machine& machine, const network::WorkTable& works, const TimedRows& rows,
              const std::vector<RowSamples>& samples);

/// Adds what the table does per parameter (updates, accumulation) to the row of its name: a point
/// for every number of parameters that it does not have yet. SGD's row is there already; the
/// traffic of another is SGD's times the ratio of what they read and write.
void add_per_parameter(cost::Machine& machine, const network::WorkTable& works,
                       std::int32_t threads, const RowSamples& sample);

/// Adds to what both ends spend on a message, half to each, what the machine's processors were busy
/// with besides: the kernel's part of TCP. For a machine on which nothing else ran.
void charge_kernel(Stream& stream);

/// What a message costs, without the window.
cost::MessageCost fit_messages(const MessageSamples& samples);
/// That, what adding costs, and the loopback.
void add_messages(cost::Machine& machine, const MessageSamples& samples);

/// Standard deviation ÷ mean.
double relative_spread(const std::vector<double>& values);

/// The same of values of which a few are far off: from the median distance to the median, which for
/// a normal distribution is 0.6745 standard deviations.
double robust_spread(const std::vector<double>& values);

/// Variance ÷ mean, likewise.
double robust_dispersion(const std::vector<double>& values);

}  // namespace lockstep::exec
