// SPDX-License-Identifier: Apache-2.0
// Sums of floats in an order that compilers can turn into vector instructions of any width without
// changing it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace lockstep::exec {

/// Σ term(i), i from 0 to count − 1: in runs of 1024 that are summed in 16 lanes of floats, each
/// lane with every sixteenth term; lanes and runs in double.
template <typename Term>
double sum_in_lanes(std::size_t count, const Term& term) {
  constexpr std::size_t kLanes = 16, kRun = 1024;
  double sum = 0;
  for (std::size_t start = 0; start < count; start += kRun) {
    const std::size_t end = std::min(start + kRun, count);
    std::array<float, kLanes> lanes{};
    std::size_t i = start;
    for (; i + kLanes <= end; i += kLanes)
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        lanes[lane] += term(i + lane);
    for (std::size_t lane = 0; i < end; ++i, ++lane)
      lanes[lane] += term(i);
    for (const float lane : lanes)
      sum += static_cast<double>(lane);
  }
  return sum;
}

}  // namespace lockstep::exec
