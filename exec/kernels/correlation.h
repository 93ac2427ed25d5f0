// SPDX-License-Identifier: Apache-2.0
// Sliding a window over one image: what the forward pass of a convolution and the gradient of its
// input have in common.
#pragma once

#include <cstddef>

namespace lockstep::exec {

/// out[y][x][n] = start[n] + Σ_{ty, tx, c} in[y·step + ty − top][x·step + tx − left][c] ·
///                                         weight[ty·weight_row + (tx·channels + c)·weight_tap + n]
/// where `in` is zero outside of its height × width.
struct Correlation {
  std::ptrdiff_t in_height = 0;
  std::ptrdiff_t in_width = 0;
  std::ptrdiff_t channels = 0;
  std::ptrdiff_t taps_y = 0;
  std::ptrdiff_t taps_x = 0;
  std::ptrdiff_t step = 1;
  std::ptrdiff_t top = 0;  // may be negative, like `left`
  std::ptrdiff_t left = 0;
  const float* weight = nullptr;
  std::ptrdiff_t weight_row = 0;
  std::ptrdiff_t weight_tap = 0;  // at least `outputs` in whole vectors (see tile.h)
  const float* start = nullptr;   // `outputs` floats, or null: zeros
  std::ptrdiff_t outputs = 0;
  std::ptrdiff_t out_width = 0;
  std::ptrdiff_t out_column = 0;  // floats from one x to the next
  std::ptrdiff_t out_row = 0;     // floats from one y to the next
};

/// Rows first … last − 1 of one image; `out` is where its row 0 begins.
void correlate(const Correlation& correlation, const float* image, std::ptrdiff_t first,
               std::ptrdiff_t last, float* out);

}  // namespace lockstep::exec
