// SPDX-License-Identifier: Apache-2.0
// Cutting a slice into nearly equal pieces: chunks, segments.
#pragma once

#include <algorithm>
#include <cstdint>

#include "models/schedule/schedule.h"

namespace lockstep::schedule {

inline std::uint64_t ceiling_divide(std::uint64_t a, std::uint64_t b) {
  return (a + b - 1) / b;
}

/// Into how many pieces of at most `largest` elements (0 = no bound) a slice of `count` is cut.
inline std::uint32_t piece_count(std::uint64_t count, std::uint64_t largest) {
  if (largest == 0) return 1;
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(1, ceiling_divide(count, largest)));
}

/// Piece `index` of `pieces`, as even as it goes: the first count mod pieces of them are one
/// element larger, and some are empty when there are fewer elements than pieces.
inline Slice piece_of(const Slice& whole, std::uint64_t index, std::uint64_t pieces) {
  if (pieces == 1) return whole;
  const std::uint64_t size = whole.count / pieces;
  const std::uint64_t larger = whole.count % pieces;
  return whole.part(index * size + std::min(index, larger), size + (index < larger ? 1 : 0));
}

}  // namespace lockstep::schedule
