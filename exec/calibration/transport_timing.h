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

/// Called by both ranks of a session of two on one host. They exchange messages, each adding what
/// it gets to what it sends next, as in a ring; and the same storing it. With `together` both run
/// on one processor, else on one each. Sizes of messages and of memory walked through vary.
/// The result is rank 0's view.
std::vector<cost::MessageSample> time_exchanges(Session& session, bool together);

std::string encode(const std::vector<cost::MessageSample>& samples);
/// Throws WireError.
std::vector<cost::MessageSample> decode_message_samples(std::string_view text);

/// The most memory that time_exchanges() walks through, of both ranks together.
inline constexpr std::uint64_t kLargestWorkingSet = std::uint64_t{192} << 20;

}  // namespace lockstep::exec
