// SPDX-License-Identifier: Apache-2.0
// Measures all rows of a network, at several batches and thread counts, and adds them to a machine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "exec/data/dataset.h"
#include "models/cost/machine.h"
#include "models/network/network.h"

namespace lockstep::exec {

/// How steady the machine was while it was measured.
struct Steadiness {
  std::vector<double> jitters;     // spread of the passes of one measurement
  std::vector<double> references;  // seconds of the reference, from beginning to end
};

struct NetworkTiming {
  std::vector<std::int32_t> batches;  // ascending
  std::int32_t threads = 1;
  /// Images for the input row; null: random ones, and no input row.
  const Dataset* data = nullptr;
  /// Always the same work: how much its seconds differ from one time to another is drift.
  std::function<double()> reference;
  std::function<void(const std::string&)> say;  // what is measured now
};

/// Whether a row's slow-down beside a memory stream is measured at this batch: at the two largest
/// that are at most 64.
bool is_measured_beside(const std::vector<std::int32_t>& batches, std::int32_t batch);

/// Seconds that a pass of one rank should take at 70 % of the peak.
double expected_seconds(const network::Network& network, std::int32_t batch, std::int32_t threads,
                        const cost::Machine& machine);

/// Adds what every row of an iteration takes: at each batch, alone, and at those around 32 beside a
/// memory stream if there is a core for it; updates under every optimizer, accumulation and norms,
/// from the smallest bucket there can be to all parameters at once. `machine` has its cores, FLOP/s
/// and bandwidths.
void add_network(cost::Machine& machine, const network::Network& network,
                 const NetworkTiming& timing, Steadiness& steadiness);

}  // namespace lockstep::exec
