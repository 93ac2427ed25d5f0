// SPDX-License-Identifier: Apache-2.0
// Which part of a sliding window lies on the image. Positions may be negative.
#pragma once

#include <algorithm>
#include <cstddef>

namespace lockstep::exec {

/// Taps first … first + count − 1 of an axis of the window.
struct Taps {
  std::ptrdiff_t first = 0;
  std::ptrdiff_t count = 0;
};

/// The taps that see an image of `size` when the window of `taps` begins at `begin`.
inline Taps visible_taps(std::ptrdiff_t begin, std::ptrdiff_t taps, std::ptrdiff_t size) {
  const std::ptrdiff_t first = std::clamp<std::ptrdiff_t>(-begin, 0, taps);
  return {first, std::clamp<std::ptrdiff_t>(size - begin, first, taps) - first};
}

/// Windows first … last − 1 of an axis.
struct Windows {
  std::ptrdiff_t first = 0;
  std::ptrdiff_t last = 0;
};

/// Of `windows` windows that begin at x·step − lead: those whose taps first_tap … last_tap all see
/// an image of `size`.
inline Windows windows_inside(std::ptrdiff_t windows, std::ptrdiff_t step, std::ptrdiff_t lead,
                              std::ptrdiff_t first_tap, std::ptrdiff_t last_tap,
                              std::ptrdiff_t size) {
  const auto divide_up = [step](std::ptrdiff_t a) {
    return a > 0 ? (a + step - 1) / step : a / step;
  };
  // x·step − lead + first_tap ≥ 0 and x·step − lead + last_tap < size
  const auto first = std::clamp<std::ptrdiff_t>(divide_up(lead - first_tap), 0, windows);
  return {first, std::clamp<std::ptrdiff_t>(divide_up(size + lead - last_tap), first, windows)};
}

}  // namespace lockstep::exec
