// SPDX-License-Identifier: Apache-2.0
// A process of the job, as all ranks know it.
#pragma once

#include <cstdint>
#include <string>

#include "models/base/ids.h"

namespace lockstep::exec {

struct Peer {
  std::string host;  // as it calls itself
  std::int32_t pid = 0;
  std::string address;     // as rank 0 sees it; empty for rank 0
  std::uint16_t port = 0;  // where it takes data connections
  std::string place;       // alike for those who reach one another without a network
};

/// "rank 2 (host a, pid 4711)".
inline std::string describe(Rank rank, const Peer& peer) {
  return "rank " + std::to_string(rank) + " (host " + peer.host + ", pid " +
         std::to_string(peer.pid) + ")";
}

}  // namespace lockstep::exec
