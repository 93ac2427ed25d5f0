// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/dense.h"

#include <algorithm>

#include "exec/kernels/matrix.h"
#include "exec/kernels/share.h"
#include "exec/kernels/tile.h"

namespace lockstep::exec {
namespace {

using network::Layer;

std::size_t inputs_of(const Layer& layer) {
  return static_cast<std::size_t>(layer.input.elements());
}
std::size_t outputs_of(const Layer& layer) {
  return static_cast<std::size_t>(layer.output.channels);
}
std::ptrdiff_t signed_of(std::size_t value) {
  return static_cast<std::ptrdiff_t>(value);
}

}  // namespace

std::size_t dense_scratch(const Layer& layer, std::size_t threads) {
  return std::max(inputs_of(layer) * whole_vectors(outputs_of(layer)),
                  threads * outputs_of(layer) * kTileColumns);
}

// The output is cut into tiles of images × features, the tiles of one column of features one after
// the other. The weights don't fit into a cache near the core, so the reduction over the inputs is
// cut too: a block of weights serves all images before the next one is fetched.
void dense_forward(const Layer& layer, const LayerBuffers& buffers, std::size_t batch, Team& team) {
  constexpr std::size_t kBlock = 256;
  const std::size_t inputs = inputs_of(layer);
  const std::size_t outputs = outputs_of(layer);
  const std::size_t stride = whole_vectors(outputs);
  const float* weight =
      rows_in_whole_vectors(buffers.weight, inputs, outputs, buffers.scratch, team);
  const std::size_t row_tiles = pieces(batch, kTileRows);
  team.run([&](std::size_t part) {
    const Range tiles = share(row_tiles * pieces(outputs, kTileColumns), part, team.size());
    for (std::size_t k = 0; k < inputs; k += kBlock) {
      for (std::size_t tile = tiles.first; tile < tiles.last; ++tile) {
        const std::size_t n = tile / row_tiles * kTileColumns;
        const Range images = share(batch, tile % row_tiles, row_tiles);
        TileProduct product;
        product.a = buffers.input[images.first] + k;
        product.a_row = signed_of(buffers.input.stride);
        product.a_inner = 1;
        product.b = weight + k * stride + n;
        product.b_inner = signed_of(stride);
        product.outer = 1;
        product.inner = signed_of(std::min(kBlock, inputs - k));
        product.c = buffers.output[images.first] + n;
        product.c_row = signed_of(buffers.output.stride);
        product.start = k == 0 ? buffers.bias + n : product.c;
        product.start_row = k == 0 ? 0 : product.c_row;
        product.rows = images.size();
        product.columns = std::min(kTileColumns, outputs - n);
        multiply(product);
      }
    }
  });
}

void dense_parameter_gradient(const Layer& layer, const LayerBuffers& buffers, std::size_t batch,
                              Team& team) {
  const std::size_t inputs = inputs_of(layer);
  const std::size_t outputs = outputs_of(layer);
  const std::size_t row_tiles = pieces(inputs, kTileRows);
  team.run([&](std::size_t part) {
    const Range tiles = share(row_tiles, part, team.size());
    for (std::size_t tile = tiles.first; tile < tiles.last; ++tile) {
      const Range rows = share(inputs, tile, row_tiles);
      for (std::size_t n = 0; n < outputs; n += kTileColumns) {
        TileProduct product;
        product.a = buffers.input.data + rows.first;
        product.a_row = 1;
        product.a_inner = signed_of(buffers.input.stride);
        product.b = buffers.output_gradient.data + n;
        product.b_inner = signed_of(buffers.output_gradient.stride);
        product.outer = 1;
        product.inner = signed_of(batch);
        product.start = kZeros.data();
        product.c = buffers.weight_gradient + rows.first * outputs + n;
        product.c_row = signed_of(outputs);
        product.rows = rows.size();
        product.columns = std::min(kTileColumns, outputs - n);
        multiply(product);
      }
    }
    const Range biases = share(outputs, part, team.size());
    std::fill(buffers.bias_gradient + biases.first, buffers.bias_gradient + biases.last, 0.0f);
    for (std::size_t image = 0; image < batch; ++image)
      add_rows(buffers.output_gradient[image], 1, outputs, biases, buffers.bias_gradient);
  });
}

// A tile needs the weights of kTileColumns inputs as columns, but they are rows: each thread
// transposes those of its next tiles into its part of the scratch.
void dense_input_gradient(const Layer& layer, const LayerBuffers& buffers, std::size_t batch,
                          Team& team) {
  const std::size_t inputs = inputs_of(layer);
  const std::size_t outputs = outputs_of(layer);
  const std::size_t row_tiles = pieces(batch, kTileRows);
  team.run([&](std::size_t part) {
    float* columns = buffers.scratch + part * outputs * kTileColumns;
    const Range tiles = share(pieces(inputs, kTileColumns), part, team.size());
    for (std::size_t tile = tiles.first; tile < tiles.last; ++tile) {
      const std::size_t k = tile * kTileColumns;
      const std::size_t count = std::min(kTileColumns, inputs - k);
      transpose(buffers.weight + k * outputs, count, outputs, outputs, columns, kTileColumns);
      for (std::size_t row_tile = 0; row_tile < row_tiles; ++row_tile) {
        const Range images = share(batch, row_tile, row_tiles);
        TileProduct product;
        product.a = buffers.output_gradient[images.first];
        product.a_row = signed_of(buffers.output_gradient.stride);
        product.a_inner = 1;
        product.b = columns;
        product.b_inner = signed_of(kTileColumns);
        product.outer = 1;
        product.inner = signed_of(outputs);
        product.start = kZeros.data();
        product.c = buffers.input_gradient[images.first] + k;
        product.c_row = signed_of(buffers.input_gradient.stride);
        product.rows = images.size();
        product.columns = count;
        multiply(product);
      }
    }
  });
}

}  // namespace lockstep::exec
