// SPDX-License-Identifier: Apache-2.0
// The largest elements of an array.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::exec {

/// Finds them by a threshold from a sample, which most elements fail at once. The result is exact
/// and does not depend on the sample. Keeps its memory from one call to the next.
class Selection {
 public:
  /// The indices, ascending, of the `count` elements of largest magnitude; of equal ones those with
  /// the smaller index. Not a number counts as largest. Valid until the next call.
  std::span<const std::uint32_t> largest(std::span<const float> values, std::size_t count);

 private:
  void collect(std::span<const float> values, std::uint32_t threshold);

  std::vector<std::uint32_t> sample_;
  std::vector<std::uint64_t>
      candidates_;  // magnitude, and then what makes the smaller index larger
  std::vector<std::uint32_t> indices_;
};

}  // namespace lockstep::exec
