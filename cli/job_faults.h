// SPDX-License-Identifier: Apache-2.0
// What of a job does not fit together.
#pragma once

#include <cstdint>
#include <string>

#include "models/network/network.h"
#include "models/training/job.h"

namespace lockstep::cli {

/// Why the job cannot have the codecs of its rules, with what can; "" if it can.
std::string fault_of_exchange(const training::Job& job);

/// There are 256 streams.
std::int32_t most_buckets_in_flight(const training::Job& job);

/// Throws ConfigError, which names the flag, says what is wrong and what was expected.
void check_fits_together(const training::Job& job, const network::Network& network);

}  // namespace lockstep::cli
