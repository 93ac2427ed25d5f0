// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/correlation.h"

#include <algorithm>

#include "exec/kernels/share.h"
#include "exec/kernels/tile.h"
#include "exec/kernels/window.h"

namespace lockstep::exec {
namespace {

/// Windows (y, x), then on to the right or downwards, which all see the image through the same
/// taps: the rows of one tile product.
struct WindowRun {
  std::ptrdiff_t y;
  std::ptrdiff_t x;
  std::size_t windows;  // 1 … kTileRows
  bool downwards;
};

/// Output channels n … of a run.
void multiply_run(const Correlation& k, const float* image, const WindowRun& run, std::ptrdiff_t n,
                  float* out) {
  const std::ptrdiff_t in_row = k.in_width * k.channels;
  const std::ptrdiff_t begin_y = run.y * k.step - k.top;
  const std::ptrdiff_t begin_x = run.x * k.step - k.left;
  const Taps taps_y = visible_taps(begin_y, k.taps_y, k.in_height);
  const Taps taps_x = visible_taps(begin_x, k.taps_x, k.in_width);
  TileProduct product;
  if (taps_y.count > 0 && taps_x.count > 0) {  // else the window lies beside the image altogether
    product.a = image + (begin_y + taps_y.first) * in_row + (begin_x + taps_x.first) * k.channels;
    product.b =
        k.weight + taps_y.first * k.weight_row + taps_x.first * k.channels * k.weight_tap + n;
    product.outer = taps_y.count;
    product.inner = taps_x.count * k.channels;
  }
  product.a_row = k.step * (run.downwards ? in_row : k.channels);
  product.a_outer = in_row;
  product.a_inner = 1;
  product.b_outer = k.weight_row;
  product.b_inner = k.weight_tap;
  product.start = k.start == nullptr ? kZeros.data() : k.start + n;
  product.c = out + run.y * k.out_row + run.x * k.out_column + n;
  product.c_row = run.downwards ? k.out_row : k.out_column;
  product.rows = run.windows;
  product.columns = std::min(kTileColumns, static_cast<std::size_t>(k.outputs - n));
  multiply(product);
}

/// Calls run(first, count) for pieces of at most kTileRows of first … last − 1.
template <typename Run>
void for_pieces(std::ptrdiff_t first, std::ptrdiff_t last, const Run& run) {
  const auto count = static_cast<std::size_t>(last - first);
  const std::size_t parts = pieces(count, kTileRows);
  for (std::size_t part = 0; part < parts; ++part) {
    const Range range = share(count, part, parts);
    run(first + static_cast<std::ptrdiff_t>(range.first), range.size());
  }
}

}  // namespace

// Neighbouring windows overlap, and in channels-last order each row of a window is contiguous: the
// windows of up to kTileRows neighbouring x are the rows of a matrix whose row stride is
// step·channels. A tile product reads them where they lie; its outer level goes through a window's
// rows, its inner one along a row. Windows that hang over the left or right edge see the image
// through fewer taps, each x through others; they are taken down the column. Nothing is padded.
void correlate(const Correlation& correlation, const float* image, std::ptrdiff_t first,
               std::ptrdiff_t last, float* out) {
  const Correlation& k = correlation;
  const Windows inside_x = windows_inside(k.out_width, k.step, k.left, 0, k.taps_x - 1, k.in_width);
  const Windows inside_y = windows_inside(last, k.step, k.top, 0, k.taps_y - 1, k.in_height);
  const std::ptrdiff_t first_inside = std::clamp(inside_y.first, first, last);
  const std::ptrdiff_t last_inside = std::max(inside_y.last, first_inside);
  for (std::ptrdiff_t n = 0; n < k.outputs; n += std::ptrdiff_t{kTileColumns}) {
    for (std::ptrdiff_t y = first; y < last; ++y)
      for_pieces(inside_x.first, inside_x.last, [&](std::ptrdiff_t x, std::size_t windows) {
        multiply_run(k, image, {y, x, windows, false}, n, out);
      });
    const auto multiply_column = [&](std::ptrdiff_t x) {
      for (std::ptrdiff_t y = first; y < first_inside; ++y)
        multiply_run(k, image, {y, x, 1, true}, n, out);
      for_pieces(first_inside, last_inside, [&](std::ptrdiff_t y, std::size_t windows) {
        multiply_run(k, image, {y, x, windows, true}, n, out);
      });
      for (std::ptrdiff_t y = last_inside; y < last; ++y)
        multiply_run(k, image, {y, x, 1, true}, n, out);
    };
    for (std::ptrdiff_t x = 0; x < inside_x.first; ++x)
      multiply_column(x);
    for (std::ptrdiff_t x = inside_x.last; x < k.out_width; ++x)
      multiply_column(x);
  }
}

}  // namespace lockstep::exec
