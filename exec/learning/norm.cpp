// SPDX-License-Identifier: Apache-2.0
#include "exec/learning/norm.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace lockstep::exec {

namespace {

/// What every processor of the common denominator has registers for.
typedef float Four __attribute__((vector_size(16)));

Four load(const float* from) {
  Four four;
  std::memcpy(&four, from, sizeof four);
  return four;
}

}  // namespace

// Four registers are written out, since compilers took sixteen lanes in an array one by one.
double squared_norm(std::span<const float> block) {
  constexpr std::size_t kLanes = 16, kRun = 1024;
  double sum = 0;
  for (std::size_t start = 0; start < block.size(); start += kRun) {
    const std::size_t end = std::min(start + kRun, block.size());
    std::array<Four, 4> squares{};
    std::size_t i = start;
    for (; i + kLanes <= end; i += kLanes) {
      const float* const x = block.data() + i;
      const Four a = load(x), b = load(x + 4), c = load(x + 8), d = load(x + 12);
      squares[0] += a * a;
      squares[1] += b * b;
      squares[2] += c * c;
      squares[3] += d * d;
    }
    std::array<float, kLanes> lanes;
    std::memcpy(lanes.data(), squares.data(), sizeof lanes);
    for (std::size_t lane = 0; i < end; ++i, ++lane)
      lanes[lane] += block[i] * block[i];
    for (const float lane : lanes)
      sum += static_cast<double>(lane);
  }
  return sum;
}

}  // namespace lockstep::exec
