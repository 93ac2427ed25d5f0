// SPDX-License-Identifier: Apache-2.0
// The part of lockstep calibrate that measures what loading images costs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/cost/machine.h"
#include "models/network/network.h"

namespace lockstep::cli {

/// Adds the rows of loading a network's images where their pixels are not at hand, or they are
/// augmented: from the JPEG files of `folder`, or, for "", from drawn ones. `machine` has its cores
/// and bandwidths. Throws ConfigError: the folder's images do not fit, or are fewer than a batch.
void calibrate_input(const network::Network& network, const std::string& folder,
                     const std::vector<std::int32_t>& batches,
                     const std::vector<std::int32_t>& threads, cost::Machine& machine);

}  // namespace lockstep::cli
