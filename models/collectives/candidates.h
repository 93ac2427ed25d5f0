// SPDX-License-Identifier: Apache-2.0
// What may be chosen when the algorithm is left open.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/collectives/algorithm.h"

namespace lockstep::collectives {

/// An algorithm with all that it leaves open.
struct Choice {
  Algorithm algorithm = Algorithm::Ring;
  std::uint64_t segment_bytes = 0;  // 0 = messages are not cut
  std::int32_t servers = 0;         // of the parameter server; 0 = all ranks

  friend bool operator==(const Choice&, const Choice&) = default;
};

/// "ring, segments of 256 KiB", "parameter-server, 1 server".
std::string describe(const Choice& choice);

/// `operation` with the choice made.
Operation with(Operation operation, const Choice& choice);

/// Every legal algorithm with segments from 64 KiB to 4 MiB, and whole, where that makes a
/// difference; the parameter server with one server and with all ranks. With `segment_bytes` ≥ 0
/// the size of segments is given, not open. In the order of their closed forms on `network`; those
/// that take more than `spread` times the best are left out.
std::vector<Choice> candidates(const Operation& operation, std::int64_t segment_bytes,
                               const IdealNetwork& network, double spread);

}  // namespace lockstep::collectives
