// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/convolution.h"

#include <algorithm>

#include "exec/kernels/correlation.h"
#include "exec/kernels/matrix.h"
#include "exec/kernels/share.h"
#include "exec/kernels/tile.h"
#include "exec/kernels/window.h"

namespace lockstep::exec {
namespace {

using network::Layer;

std::size_t size(std::int32_t value) {
  return static_cast<std::size_t>(value);
}

/// Rows of the weight matrix, kernel·kernel·in × out.
std::size_t weight_rows(const Layer& layer) {
  return size(layer.kernel) * size(layer.kernel) * size(layer.input.channels);
}

/// Calls band(image, first, last) for this part's share of all images' rows of `height`: rows
/// first … last − 1 of an image, few enough that what they need stays in a cache near the core.
template <typename Band>
void for_bands(std::size_t batch, std::int32_t height, std::size_t part, std::size_t parts,
               const Band& band) {
  constexpr std::size_t kRows = 16;
  const Range rows = share(batch * size(height), part, parts);
  for (std::size_t row = rows.first; row < rows.last;) {
    const std::size_t y = row % size(height);
    const std::size_t count = std::min({kRows, size(height) - y, rows.last - row});
    band(row / size(height), static_cast<std::ptrdiff_t>(y),
         static_cast<std::ptrdiff_t>(y + count));
    row += count;
  }
}

/// Along one axis, the gradient of input position i comes from the outputs o with
/// o·stride + tap − padding = i. Positions that are equal modulo the stride see the same taps,
/// first_tap, first_tap + stride, …, and from one such position to the next the outputs move by
/// one: for each of these phases the gradient is a correlation of step 1 with the reversed taps.
struct Phase {
  std::ptrdiff_t first_tap;
  std::ptrdiff_t taps;
  std::ptrdiff_t lead;  // the window of the phase's position x begins at output x − lead
};

Phase phase_of(const Layer& layer, std::ptrdiff_t phase) {
  const std::ptrdiff_t shifted = phase + layer.padding;
  const std::ptrdiff_t first_tap = shifted % layer.stride;
  const std::ptrdiff_t taps =
      first_tap < layer.kernel ? (layer.kernel - 1 - first_tap) / layer.stride + 1 : 0;
  return {first_tap, taps, taps - 1 - shifted / layer.stride};
}

/// Weights for the input gradient: window rows in reversed order; along a row, phase by phase, the
/// phase's taps reversed; of each tap the matrix out × in, its rows in whole vectors.
void pack_reversed(const Layer& layer, const float* weight, float* packed, Range rows) {
  const std::size_t inputs = size(layer.input.channels);
  const std::size_t outputs = size(layer.output.channels);
  const std::size_t kernel = size(layer.kernel);
  const std::size_t stride = whole_vectors(inputs);
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    float* to = packed + row * kernel * outputs * stride;
    for (std::int32_t p = 0; p < std::min(layer.stride, layer.input.width); ++p) {
      const Phase phase = phase_of(layer, p);
      for (std::ptrdiff_t tap = phase.taps - 1; tap >= 0; --tap, to += outputs * stride) {
        const auto x = static_cast<std::size_t>(phase.first_tap + tap * layer.stride);
        const float* from = weight + ((kernel - 1 - row) * kernel + x) * inputs * outputs;
        transpose(from, inputs, outputs, outputs, to, stride);
      }
    }
  }
}

/// A rectangle of the weight gradient, [first, last) of a window row's kernel·in × columns
/// n … n + columns − 1, which one thread sums over the batch.
struct WeightTile {
  std::ptrdiff_t tap_y;
  Range rows;
  std::size_t n;
  std::size_t columns;
};

struct WeightTiles {
  explicit WeightTiles(const Layer& layer)
      : taps_y(size(layer.kernel)),
        row_length(size(layer.kernel) * size(layer.input.channels)),
        outputs(size(layer.output.channels)),
        row_tiles(pieces(row_length, kTileRows)),
        column_tiles(pieces(outputs, kTileColumns)) {}

  std::size_t count() const { return column_tiles * taps_y * row_tiles; }
  WeightTile operator[](std::size_t index) const {
    const std::size_t n = index / (taps_y * row_tiles) * kTileColumns;
    return {static_cast<std::ptrdiff_t>(index / row_tiles % taps_y),
            share(row_length, index % row_tiles, row_tiles), n,
            std::min(kTileColumns, outputs - n)};
  }

  std::size_t taps_y, row_length, outputs, row_tiles, column_tiles;
};

/// Adds one image's part of a tile of the weight gradient: for tap and channel m and output
/// channel n, Σ over positions of input[position + tap][channel] · output_gradient[position][n].
/// Where the whole tile's taps see the image, that is one tile product over all positions; the
/// positions of a column at the edge are a product of their own, with the taps that see it.
void add_weight_tile(const Layer& layer, const WeightTile& tile, const float* input,
                     const float* output_gradient, float* weight_gradient) {
  const std::ptrdiff_t channels = layer.input.channels;
  const std::ptrdiff_t outputs = layer.output.channels;
  const std::ptrdiff_t in_row = layer.input.width * channels;
  const std::ptrdiff_t out_row = layer.output.width * outputs;
  const auto first = static_cast<std::ptrdiff_t>(tile.rows.first);
  const auto last = static_cast<std::ptrdiff_t>(tile.rows.last);
  const Windows ys = windows_inside(layer.output.height, layer.stride, layer.padding, tile.tap_y,
                                    tile.tap_y, layer.input.height);
  if (ys.first == ys.last) return;

  TileProduct product;
  product.a_row = 1;
  product.a_outer = layer.stride * in_row;
  product.a_inner = layer.stride * channels;
  product.b_outer = out_row;
  product.b_inner = outputs;
  product.outer = ys.last - ys.first;
  product.columns = tile.columns;
  product.start_row = outputs;
  product.c_row = outputs;
  const auto multiply_columns = [&](std::ptrdiff_t x, std::ptrdiff_t columns, std::ptrdiff_t m,
                                    std::ptrdiff_t last_m) {
    if (columns <= 0 || last_m <= m) return;
    const std::ptrdiff_t in_y = ys.first * layer.stride + tile.tap_y - layer.padding;
    const std::ptrdiff_t in_x = x * layer.stride - layer.padding;
    product.a = input + in_y * in_row + (in_x * channels + m);
    product.b = output_gradient + ys.first * out_row + x * outputs + tile.n;
    product.inner = columns;
    product.c = weight_gradient + (tile.tap_y * layer.kernel * channels + m) * outputs + tile.n;
    product.start = product.c;
    product.rows = static_cast<std::size_t>(last_m - m);
    multiply(product);
  };
  const Windows inside = windows_inside(layer.output.width, layer.stride, layer.padding,
                                        first / channels, (last - 1) / channels, layer.input.width);
  const auto multiply_edge = [&](std::ptrdiff_t x) {
    const Taps taps =
        visible_taps(x * layer.stride - layer.padding, layer.kernel, layer.input.width);
    multiply_columns(x, 1, std::max(first, taps.first * channels),
                     std::min(last, (taps.first + taps.count) * channels));
  };
  for (std::ptrdiff_t x = 0; x < inside.first; ++x)
    multiply_edge(x);
  multiply_columns(inside.first, inside.last - inside.first, first, last);
  for (std::ptrdiff_t x = inside.last; x < layer.output.width; ++x)
    multiply_edge(x);
}

/// Rows first … last − 1 of one image's input gradient, from the weights that pack_reversed() has
/// left in the scratch: one correlation for each phase of y and x.
void input_gradient_rows(const Layer& layer, const LayerBuffers& buffers, std::size_t image,
                         std::ptrdiff_t first, std::ptrdiff_t last) {
  const std::ptrdiff_t stride = layer.stride;
  const std::ptrdiff_t in_row = layer.input.width * layer.input.channels;
  Correlation phase;
  phase.in_height = layer.output.height;
  phase.in_width = layer.output.width;
  phase.channels = layer.output.channels;
  phase.weight_tap = static_cast<std::ptrdiff_t>(whole_vectors(size(layer.input.channels)));
  phase.outputs = layer.input.channels;
  phase.out_column = stride * layer.input.channels;
  phase.out_row = stride * in_row;
  const std::ptrdiff_t packed_row = layer.kernel * layer.output.channels * phase.weight_tap;
  phase.weight_row = stride * packed_row;
  // Positions of phase p below `end` along an axis: p, p + stride, …
  const auto positions = [stride](std::ptrdiff_t end, std::ptrdiff_t p) {
    return end > p ? (end - p + stride - 1) / stride : 0;
  };
  for (std::ptrdiff_t p = 0; p < std::min(stride, last); ++p) {
    const Phase y = phase_of(layer, p);
    phase.taps_y = y.taps;
    phase.top = y.lead;
    // The phase's last tap is the first of its reversed rows.
    const std::ptrdiff_t last_tap = y.first_tap + (y.taps - 1) * stride;
    phase.weight = buffers.scratch + (y.taps > 0 ? (layer.kernel - 1 - last_tap) * packed_row : 0);
    for (std::ptrdiff_t q = 0; q < std::min<std::ptrdiff_t>(stride, layer.input.width); ++q) {
      const Phase x = phase_of(layer, q);
      phase.taps_x = x.taps;
      phase.left = x.lead;
      phase.out_width = positions(layer.input.width, q);
      correlate(phase, buffers.output_gradient[image], positions(first, p), positions(last, p),
                buffers.input_gradient[image] + p * in_row + q * layer.input.channels);
      phase.weight += x.taps * layer.output.channels * phase.weight_tap;
    }
  }
}

}  // namespace

std::size_t convolution_scratch(const Layer& layer) {
  const std::size_t forward = weight_rows(layer) * whole_vectors(size(layer.output.channels));
  const std::size_t backward = size(layer.kernel) * size(layer.kernel) *
                               size(layer.output.channels) *
                               whole_vectors(size(layer.input.channels));
  return std::max(forward, backward);
}

void convolution_forward(const Layer& layer, const LayerBuffers& buffers, std::size_t batch,
                         Team& team) {
  const std::ptrdiff_t outputs = layer.output.channels;
  Correlation correlation;
  correlation.in_height = layer.input.height;
  correlation.in_width = layer.input.width;
  correlation.channels = layer.input.channels;
  correlation.taps_y = layer.kernel;
  correlation.taps_x = layer.kernel;
  correlation.step = layer.stride;
  correlation.top = layer.padding;
  correlation.left = layer.padding;
  correlation.weight = rows_in_whole_vectors(buffers.weight, weight_rows(layer),
                                             size(layer.output.channels), buffers.scratch, team);
  correlation.weight_tap = static_cast<std::ptrdiff_t>(whole_vectors(size(layer.output.channels)));
  correlation.weight_row = layer.kernel * layer.input.channels * correlation.weight_tap;
  correlation.start = buffers.bias;
  correlation.outputs = outputs;
  correlation.out_width = layer.output.width;
  correlation.out_column = outputs;
  correlation.out_row = layer.output.width * outputs;
  team.run([&](std::size_t part) {
    for_bands(batch, layer.output.height, part, team.size(),
              [&](std::size_t image, std::ptrdiff_t first, std::ptrdiff_t last) {
                correlate(correlation, buffers.input[image], first, last, buffers.output[image]);
              });
  });
}

void convolution_parameter_gradient(const Layer& layer, const LayerBuffers& buffers,
                                    std::size_t batch, Team& team) {
  const WeightTiles tiles(layer);
  const std::size_t outputs = tiles.outputs;
  const std::size_t positions = size(layer.output.height) * size(layer.output.width);
  team.run([&](std::size_t part) {
    const Range mine = share(tiles.count(), part, team.size());
    const Range biases = share(outputs, part, team.size());
    for (std::size_t index = mine.first; index < mine.last; ++index) {
      const WeightTile tile = tiles[index];
      const std::size_t row = static_cast<std::size_t>(tile.tap_y) * tiles.row_length;
      for (std::size_t m = tile.rows.first; m < tile.rows.last; ++m)
        std::fill_n(buffers.weight_gradient + (row + m) * outputs + tile.n, tile.columns, 0.0f);
    }
    std::fill(buffers.bias_gradient + biases.first, buffers.bias_gradient + biases.last, 0.0f);
    // Image by image, so that an image is fetched once for all tiles.
    for (std::size_t image = 0; image < batch; ++image) {
      for (std::size_t index = mine.first; index < mine.last; ++index)
        add_weight_tile(layer, tiles[index], buffers.input[image], buffers.output_gradient[image],
                        buffers.weight_gradient);
      add_rows(buffers.output_gradient[image], positions, outputs, biases, buffers.bias_gradient);
    }
  });
}

void convolution_input_gradient(const Layer& layer, const LayerBuffers& buffers, std::size_t batch,
                                Team& team) {
  team.run([&](std::size_t part) {
    pack_reversed(layer, buffers.weight, buffers.scratch,
                  share(size(layer.kernel), part, team.size()));
  });
  team.run([&](std::size_t part) {
    for_bands(batch, layer.input.height, part, team.size(),
              [&](std::size_t image, std::ptrdiff_t first, std::ptrdiff_t last) {
                input_gradient_rows(layer, buffers, image, first, last);
              });
  });
}

}  // namespace lockstep::exec
