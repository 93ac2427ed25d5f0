// SPDX-License-Identifier: Apache-2.0
// Sums over arrays, in several parts side by side, so that vectors take part.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace lockstep::exec {

/// Σ of(value): single precision within short runs, double precision beyond.
template <typename Of>
double sum_of(std::span<const float> values, const Of& of) {
  constexpr std::size_t kParts = 16;
  constexpr std::size_t kStretch = 4096;
  double total = 0;
  for (std::size_t first = 0; first < values.size(); first += kStretch) {
    const std::span<const float> run =
        values.subspan(first, std::min(kStretch, values.size() - first));
    float parts[kParts] = {};
    std::size_t i = 0;
    for (; i + kParts <= run.size(); i += kParts)
      for (std::size_t p = 0; p < kParts; ++p)
        parts[p] += of(run[i + p]);
    for (; i < run.size(); ++i)
      parts[0] += of(run[i]);
    for (const float part : parts)
      total += static_cast<double>(part);
  }
  return total;
}

inline double sum_of_magnitudes(std::span<const float> values) {
  return sum_of(values, [](float value) { return std::abs(value); });
}

inline double sum_of_squares(std::span<const float> values) {
  return sum_of(values, [](float value) { return value * value; });
}

inline float largest_magnitude(std::span<const float> values) {
  constexpr std::size_t kParts = 16;
  float parts[kParts] = {};
  std::size_t i = 0;
  for (; i + kParts <= values.size(); i += kParts)
    for (std::size_t p = 0; p < kParts; ++p)
      parts[p] = std::abs(values[i + p]) > parts[p] ? std::abs(values[i + p]) : parts[p];
  for (; i < values.size(); ++i)
    parts[0] = std::max(parts[0], std::abs(values[i]));
  return *std::max_element(parts, parts + kParts);
}

}  // namespace lockstep::exec
