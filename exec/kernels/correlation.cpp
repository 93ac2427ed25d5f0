// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/correlation.h"

#include <algorithm>

#include "exec/kernels/tile.h"
#include "exec/kernels/window.h"

namespace lockstep::exec {
namespace {

/// Windows that all see the image through the same taps: the rows of one tile product. The first
/// one is at (y, x); the others are to the right, downwards, or at the same place of the next
/// images.
struct WindowRun {
  std::ptrdiff_t y;
  std::ptrdiff_t x;
  std::size_t windows;      // 1 … kTileRows
  std::ptrdiff_t in_step;   // floats from one window to the next
  std::ptrdiff_t out_step;  // floats from its output to the next one's
};

std::size_t columns_of(const Correlation& k, std::size_t panel) {
  return std::min(kTileColumns, static_cast<std::size_t>(k.outputs) - panel * kTileColumns);
}

void multiply_run(const Correlation& k, const float* image, const WindowRun& run, Panel panel,
                  float* out) {
  const std::ptrdiff_t begin_y = run.y * k.step - k.top;
  const std::ptrdiff_t begin_x = run.x * k.step - k.left;
  const Taps taps_y = visible_taps(begin_y, k.taps_y, k.in_height);
  const Taps taps_x = visible_taps(begin_x, k.taps_x, k.in_width);
  const auto n = static_cast<std::ptrdiff_t>(panel.index * kTileColumns);
  TileProduct product;
  product.columns = columns_of(k, panel.index);
  const auto row = static_cast<std::ptrdiff_t>(whole_vectors(product.columns));
  if (taps_y.count > 0 && taps_x.count > 0) {  // else the window lies beside the image altogether
    product.a =
        image + (begin_y + taps_y.first) * k.in_row + (begin_x + taps_x.first) * k.in_column;
    product.b =
        panel.weight + (k.first_row + taps_y.first * k.tap_rows + taps_x.first * k.channels) * row;
    product.outer = {taps_y.count, k.in_row, k.tap_rows * row};
    product.middle = {taps_x.count, k.in_column, k.channels * row};
    product.inner = {k.channels, 1, row};
    if (k.in_column == k.channels) {  // a window's row is contiguous
      product.inner.count *= taps_x.count;
      product.middle.count = 1;
    }
  } else {
    product.outer.count = 0;
  }
  product.a_row = run.in_step;
  product.c = out + run.y * k.out_row + run.x * k.out_column + n;
  product.c_row = run.out_step;
  if (k.adds) {
    product.start = product.c;
    product.start_row = product.c_row;
  } else {
    product.start = k.start == nullptr ? kZeros.data() : k.start + n;
  }
  product.rows = run.windows;
  product.relu = k.relu;
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

bool prefers_images(const Correlation& k, std::size_t images) {
  const Windows inside = windows_inside(k.out_width, k.step, k.left, 0, k.taps_x - 1, k.in_width);
  const auto windows = static_cast<std::size_t>(inside.last - inside.first);
  return std::min(windows, kTileRows) < std::min(images, kTileRows);
}

// Neighbouring windows overlap, and in channels-last order each row of a window is contiguous: the
// windows of up to kTileRows neighbouring x are the rows of a matrix whose row stride is
// step·in_column. A tile product reads them where they lie; its outer level goes through a window's
// rows, the inner ones along a row. Windows that hang over the left or right edge see the image
// through fewer taps, each x through others; they are taken down the column. Nothing is padded.
void correlate_rows(const Correlation& k, const float* image, std::ptrdiff_t first,
                    std::ptrdiff_t last, Panel panel, float* out) {
  const Windows inside_x = windows_inside(k.out_width, k.step, k.left, 0, k.taps_x - 1, k.in_width);
  const Windows inside_y = windows_inside(last, k.step, k.top, 0, k.taps_y - 1, k.in_height);
  const std::ptrdiff_t first_inside = std::clamp(inside_y.first, first, last);
  const std::ptrdiff_t last_inside = std::max(inside_y.last, first_inside);
  const std::ptrdiff_t right = k.step * k.in_column;
  const std::ptrdiff_t down = k.step * k.in_row;
  for (std::ptrdiff_t y = first; y < last; ++y)
    for_pieces(inside_x.first, inside_x.last, [&](std::ptrdiff_t x, std::size_t windows) {
      multiply_run(k, image, {y, x, windows, right, k.out_column}, panel, out);
    });
  const auto multiply_column = [&](std::ptrdiff_t x) {
    for (std::ptrdiff_t y = first; y < first_inside; ++y)
      multiply_run(k, image, {y, x, 1, down, k.out_row}, panel, out);
    for_pieces(first_inside, last_inside, [&](std::ptrdiff_t y, std::size_t windows) {
      multiply_run(k, image, {y, x, windows, down, k.out_row}, panel, out);
    });
    for (std::ptrdiff_t y = last_inside; y < last; ++y)
      multiply_run(k, image, {y, x, 1, down, k.out_row}, panel, out);
  };
  for (std::ptrdiff_t x = 0; x < inside_x.first; ++x)
    multiply_column(x);
  for (std::ptrdiff_t x = inside_x.last; x < k.out_width; ++x)
    multiply_column(x);
}

// On a small map most windows hang over an edge, each through other taps. But at any one place all
// images are alike.
void correlate_images(const Correlation& k, Images<const float> in, Range images, std::ptrdiff_t y,
                      Panel panel, Images<float> out) {
  const auto in_step = static_cast<std::ptrdiff_t>(in.stride);
  const auto out_step = static_cast<std::ptrdiff_t>(out.stride);
  for (std::ptrdiff_t x = 0; x < k.out_width; ++x)
    for_pieces(static_cast<std::ptrdiff_t>(images.first), static_cast<std::ptrdiff_t>(images.last),
               [&](std::ptrdiff_t image, std::size_t count) {
                 const auto i = static_cast<std::size_t>(image);
                 multiply_run(k, in[i], {y, x, count, in_step, out_step}, panel, out[i]);
               });
}

}  // namespace lockstep::exec
