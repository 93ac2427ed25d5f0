// SPDX-License-Identifier: Apache-2.0
// Measures what messages cost two ranks that only wait for the network, through the executor: over
// whatever the session's ranks use among themselves.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "exec/launch/session.h"
#include "models/cost/machine.h"

namespace lockstep::exec {

/// How ranks that exchange messages in pairs are spread over processors.
enum class Spread : std::uint8_t {
  Apart,     // one pair, a processor for each
  Together,  // two pairs, a processor for each pair; or one pair on one processor
  Crowded,   // two pairs on two processors, each pair on both
};

/// Called by all ranks of a session of two or (Crowded) four on one host. They exchange messages in
/// pairs, each adding what it gets to what it has; and the same storing it.
/// Sizes of messages and of memory walked through vary. The result is rank 0's view.
std::vector<cost::MessageSample> time_exchanges(Session& session, Spread spread);

std::string encode(const std::vector<cost::MessageSample>& samples);
/// Throws WireError.
std::vector<cost::MessageSample> decode_message_samples(std::string_view text);

/// The most memory that time_exchanges() walks through, of all ranks together.
inline constexpr std::uint64_t kLargestWorkingSet = std::uint64_t{192} << 20;

}  // namespace lockstep::exec
