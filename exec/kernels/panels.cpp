// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/panels.h"

namespace lockstep::exec {
namespace {

/// Rows of an output map that are worked on together: few enough that what they need of the input
/// stays in a cache near the core while one panel after the other goes over it.
std::size_t band_rows(const Correlation& k) {
  constexpr std::ptrdiff_t kNearFloats = 32 << 10;
  const std::ptrdiff_t rows = (kNearFloats / k.in_row - k.taps_y) / k.step + 1;
  return static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(rows, 1, 16));
}

}  // namespace

void correlate_share(const Correlation& k, Images<const float> in, std::size_t batch,
                     const PackedPanels& panels, Images<float> out, RowShare part) {
  const auto height = static_cast<std::size_t>(k.out_height);
  const Range range = panels.range;
  if (prefers_images(k, batch)) {
    const std::size_t runs = pieces(batch, kTileRows);
    const Range mine = share(height * runs, part.part, part.parts);
    for (std::size_t p = range.first; p < range.last; ++p)
      for (std::size_t unit = mine.first; unit < mine.last; ++unit)
        correlate_images(k, in, share(batch, unit % runs, runs),
                         static_cast<std::ptrdiff_t>(unit / runs), panels[p], out);
    return;
  }
  const std::size_t band = band_rows(k);
  const Range rows = share(batch * height, part.part, part.parts);
  for (std::size_t row = rows.first; row < rows.last;) {
    const std::size_t image = row / height;
    const std::size_t y = row % height;
    const std::size_t count = std::min({band, height - y, rows.last - row});
    for (std::size_t p = range.first; p < range.last; ++p)
      correlate_rows(k, in[image], static_cast<std::ptrdiff_t>(y),
                     static_cast<std::ptrdiff_t>(y + count), panels[p], out[image]);
    row += count;
  }
}

}  // namespace lockstep::exec
