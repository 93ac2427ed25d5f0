// SPDX-License-Identifier: Apache-2.0
// Cutting a slice into nearly equal pieces: chunks, segments.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

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

/// Which of the pieces of `count` elements holds element `offset`.
inline std::uint64_t piece_at(std::uint64_t count, std::uint64_t offset, std::uint64_t pieces) {
  const std::uint64_t size = count / pieces;
  const std::uint64_t larger = count % pieces;
  const std::uint64_t in_larger = larger * (size + 1);  // elements
  return offset < in_larger ? offset / (size + 1) : larger + (offset - in_larger) / size;
}

/// A slice cut into segments, as few and as even as it goes; none when it is empty.
class Segments {
 public:
  Segments(const Slice& whole, std::uint64_t largest)
      : whole_(whole), size_(whole.count == 0 ? 0 : piece_count(whole.count, largest)) {}

  std::uint32_t size() const { return size_; }
  Slice operator[](std::uint32_t index) const { return piece_of(whole_, index, size_); }

  /// The last of the segments that touches `other`, a slice of the same buffer.
  std::optional<std::uint32_t> last_touching(const Slice& other) const {
    const std::uint64_t first = std::max(whole_.first, other.first);
    const std::uint64_t end = std::min(whole_.end(), other.end());
    if (first >= end) return std::nullopt;
    return static_cast<std::uint32_t>(piece_at(whole_.count, end - 1 - whole_.first, size_));
  }

 private:
  Slice whole_;
  std::uint32_t size_;
};

}  // namespace lockstep::schedule
