// SPDX-License-Identifier: Apache-2.0
// The collective operations: who holds what before, who holds what afterwards.
#pragma once

#include <cstdint>
#include <string>

#include "models/schedule/pieces.h"

namespace lockstep::schedule {

/// Over a slice of one buffer, the data, alike on every rank. Rank r owns the chunk chunk_of(r).
enum class Collective : std::uint8_t {
  AllReduce,      // every rank ends with the sum over all ranks
  ReduceScatter,  // every rank ends with the sum in its own chunk; elsewhere anything may be left
  AllGather,      // every rank ends with each chunk as its owner had it
  Broadcast,      // every rank ends with what one of them, the root, had
};

/// "all-reduce", "reduce-scatter", "all-gather", "broadcast".
std::string name_of(Collective collective);

inline Slice chunk_of(const Slice& data, Rank owner, std::int32_t ranks) {
  return piece_of(data, static_cast<std::uint64_t>(owner), static_cast<std::uint64_t>(ranks));
}

}  // namespace lockstep::schedule
