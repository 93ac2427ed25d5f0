// SPDX-License-Identifier: Apache-2.0
// Sliding a window over images: what the forward pass of a convolution and the gradient of its
// input have in common.
#pragma once

#include <cstddef>

#include "exec/kernels/share.h"
#include "exec/kernels/stage_buffers.h"

namespace lockstep::exec {

/// out[y][x][n] = start[n] + Σ_{ty, tx, c} in[y·step + ty − top][x·step + tx − left][c] ·
///                                         weight[ty][tx][c][n]
/// where `in` is zero outside of its height × width; then, with `relu`, max(0, ·).
///
/// The weights are packed in panels of kTileColumns outputs (the last one may be narrower, in whole
/// vectors): in each of them the rows (ty, tx, c), one after the other.
struct Correlation {
  std::ptrdiff_t in_height = 0;
  std::ptrdiff_t in_width = 0;
  std::ptrdiff_t channels = 0;   // that a window sees
  std::ptrdiff_t in_column = 0;  // floats from one x to the next
  std::ptrdiff_t in_row = 0;     // floats from one y to the next
  std::ptrdiff_t taps_y = 0;
  std::ptrdiff_t taps_x = 0;
  std::ptrdiff_t step = 1;
  std::ptrdiff_t top = 0;  // may be negative, like `left`
  std::ptrdiff_t left = 0;
  std::ptrdiff_t first_row = 0;  // of a panel: that of tap (0, 0) and channel 0
  std::ptrdiff_t tap_rows = 0;   // rows from one ty to the next
  const float* start = nullptr;  // `outputs` floats, or null: zeros
  bool adds = false;             // to what `out` holds, instead of to `start`
  bool relu = false;
  std::ptrdiff_t outputs = 0;
  std::ptrdiff_t out_height = 0;
  std::ptrdiff_t out_width = 0;
  std::ptrdiff_t out_column = 0;  // floats from one x to the next
  std::ptrdiff_t out_row = 0;     // floats from one y to the next
};

/// Outputs index·kTileColumns … and their weights.
struct Panel {
  std::size_t index = 0;
  const float* weight = nullptr;
};

/// The panel's outputs at rows first … last − 1 of one image; `out` is where its row 0 begins.
void correlate_rows(const Correlation& correlation, const float* image, std::ptrdiff_t first,
                    std::ptrdiff_t last, Panel panel, float* out);

/// The panel's outputs at row y of some images; `out` is where row 0 of image 0 begins.
void correlate_images(const Correlation& correlation, Images<const float> in, Range images,
                      std::ptrdiff_t y, Panel panel, Images<float> out);

/// Whether so many images side by side fill the registers better than the windows of a row.
bool prefers_images(const Correlation& correlation, std::size_t images);

}  // namespace lockstep::exec
