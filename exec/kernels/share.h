// SPDX-License-Identifier: Apache-2.0
// Dividing a count of equal things into parts that differ by one at most.
#pragma once

#include <cstddef>

namespace lockstep::exec {

struct Range {
  std::size_t first = 0;
  std::size_t last = 0;  // one past

  std::size_t size() const { return last - first; }
};

/// Part `part` of `parts` of 0 … count−1; the parts cover everything once, in order.
inline Range share(std::size_t count, std::size_t part, std::size_t parts) {
  return {count * part / parts, count * (part + 1) / parts};
}

/// Number of pieces of at most `most` that `count` needs.
inline std::size_t pieces(std::size_t count, std::size_t most) {
  return (count + most - 1) / most;
}

}  // namespace lockstep::exec
