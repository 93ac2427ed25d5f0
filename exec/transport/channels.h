// SPDX-License-Identifier: Apache-2.0
// Whom a rank talks to, read off its own steps.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "models/schedule/schedule.h"

namespace lockstep::exec {

/// One data connection, seen from one of its two ends.
struct Channel {
  Rank peer = 0;
  std::uint8_t stream = 0;
  friend auto operator<=>(const Channel&, const Channel&) = default;
};

/// The connections that `rank`'s own steps need, sorted, each once. A verified schedule gives both
/// ends of a connection the same answer.
std::vector<Channel> peers_of(const schedule::Schedule& schedule, Rank rank);

}  // namespace lockstep::exec
