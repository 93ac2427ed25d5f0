// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/dense.h"

#include <algorithm>

#include "exec/kernels/matrix.h"
#include "exec/kernels/relu.h"
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

// A block of weights, kBlock inputs × kChunk outputs, is packed at one time: it stays in a cache
// near the core, and what is read of each row is long enough for the memory.
constexpr std::size_t kBlock = 256;
constexpr std::size_t kChunk = 256;

/// Panels of columns n … last − 1 of the block that begins at input k.
void pack_block(const Layer& layer, const float* weight, std::size_t k, Range columns,
                float* packed) {
  const std::size_t outputs = outputs_of(layer);
  const std::size_t rows = std::min(kBlock, inputs_of(layer) - k);
  for (std::size_t n = columns.first; n < columns.last;
       n += kTileColumns, packed += kBlock * kTileColumns)
    pack_panel(weight + k * outputs + n, rows, std::min(kTileColumns, columns.last - n), outputs,
               packed);
}

/// Columns of one thread, in whole panels.
Range columns_of(const Layer& layer, std::size_t part, std::size_t parts) {
  const std::size_t outputs = outputs_of(layer);
  const Range panels = share(pieces(outputs, kTileColumns), part, parts);
  return {panels.first * kTileColumns, std::min(outputs, panels.last * kTileColumns)};
}

/// What one block adds to the outputs of all images, panel by panel.
void multiply_block(const DenseStage& stage, const StageBuffers& buffers, std::size_t batch,
                    std::size_t k, Range columns, const float* packed) {
  const std::size_t inputs = inputs_of(stage.layer);
  const std::size_t row_tiles = pieces(batch, kTileRows);
  for (std::size_t n = columns.first; n < columns.last;
       n += kTileColumns, packed += kBlock * kTileColumns)
    for (std::size_t tile = 0; tile < row_tiles; ++tile) {
      const Range images = share(batch, tile, row_tiles);
      TileProduct product;
      product.columns = std::min(kTileColumns, columns.last - n);
      product.a = buffers.input[images.first] + k;
      product.a_row = signed_of(buffers.input.stride);
      product.b = packed;
      product.inner = {signed_of(std::min(kBlock, inputs - k)), 1,
                       signed_of(whole_vectors(product.columns))};
      product.c = buffers.output[images.first] + n;
      product.c_row = signed_of(buffers.output.stride);
      product.start = k == 0 ? buffers.parameters + stage.layer.parameters[0].count + n : product.c;
      product.start_row = k == 0 ? 0 : product.c_row;
      product.rows = images.size();
      product.relu = stage.relu && k + kBlock >= inputs;
      multiply(product);
    }
}

/// The gradients of the weights of some inputs, and a share of the biases'.
void parameter_gradient_share(const Layer& layer, const StageBuffers& buffers, std::size_t batch,
                              std::size_t part, std::size_t parts) {
  const std::size_t outputs = outputs_of(layer);
  const std::size_t row_tiles = pieces(inputs_of(layer), kTileRows);
  const Images<const float> gradient = buffers.output_gradient;
  const Range tiles = share(row_tiles, part, parts);
  for (std::size_t tile = tiles.first; tile < tiles.last; ++tile) {
    const Range rows = share(inputs_of(layer), tile, row_tiles);
    for (std::size_t n = 0; n < outputs; n += kTileColumns) {
      TileProduct product;
      product.a = buffers.input.data + rows.first;
      product.a_row = 1;
      product.b = gradient.data + n;
      product.inner = {signed_of(batch), signed_of(buffers.input.stride),
                       signed_of(gradient.stride)};
      product.start = kZeros.data();
      product.c = buffers.gradients + rows.first * outputs + n;
      product.c_row = signed_of(outputs);
      product.rows = rows.size();
      product.columns = std::min(kTileColumns, outputs - n);
      multiply(product);
    }
  }
  float* bias = buffers.gradients + layer.parameters[0].count;
  const Range biases = share(outputs, part, parts);
  std::fill(bias + biases.first, bias + biases.last, 0.0f);
  for (std::size_t image = 0; image < batch; ++image)
    add_rows(gradient[image], 1, outputs, biases, bias);
}

/// The gradients of some inputs. A tile needs the weights of kTileColumns inputs as columns, but
/// they are rows: they are transposed into `columns`.
void input_gradient_share(const Layer& layer, const StageBuffers& buffers, std::size_t batch,
                          float* columns, std::size_t part, std::size_t parts) {
  const std::size_t inputs = inputs_of(layer);
  const std::size_t outputs = outputs_of(layer);
  const std::size_t row_tiles = pieces(batch, kTileRows);
  const Images<const float> gradient = buffers.output_gradient;
  const Range tiles = share(pieces(inputs, kTileColumns), part, parts);
  for (std::size_t tile = tiles.first; tile < tiles.last; ++tile) {
    const std::size_t k = tile * kTileColumns;
    const std::size_t count = std::min(kTileColumns, inputs - k);
    transpose(buffers.parameters + k * outputs, count, outputs, outputs, columns, kTileColumns);
    for (std::size_t row_tile = 0; row_tile < row_tiles; ++row_tile) {
      const Range images = share(batch, row_tile, row_tiles);
      TileProduct product;
      product.a = gradient[images.first];
      product.a_row = signed_of(gradient.stride);
      product.b = columns;
      product.inner = {signed_of(outputs), 1, signed_of(kTileColumns)};
      product.c = buffers.input_gradient[images.first] + k;
      product.c_row = signed_of(buffers.input_gradient.stride);
      product.start = buffers.adds_input_gradient ? product.c : kZeros.data();
      product.start_row = buffers.adds_input_gradient ? product.c_row : 0;
      product.rows = images.size();
      product.columns = count;
      multiply(product);
    }
  }
}

}  // namespace

std::size_t dense_scratch(const DenseStage& stage, std::size_t threads) {
  return threads * std::max(kBlock * kChunk, outputs_of(stage.layer) * kTileColumns);
}

void dense_forward(const DenseStage& stage, const StageBuffers& buffers, std::size_t batch,
                   Team& team) {
  team.run([&](std::size_t part) {
    float* packed = buffers.scratch + part * kBlock * kChunk;
    const Range mine = columns_of(stage.layer, part, team.size());
    for (std::size_t n = mine.first; n < mine.last; n += kChunk) {
      const Range columns{n, std::min(n + kChunk, mine.last)};
      for (std::size_t k = 0; k < inputs_of(stage.layer); k += kBlock) {
        pack_block(stage.layer, buffers.parameters, k, columns, packed);
        multiply_block(stage, buffers, batch, k, columns, packed);
      }
    }
  });
}

void dense_backward(const DenseStage& stage, const StageBuffers& buffers, std::size_t batch,
                    Team& team) {
  if (stage.relu)
    team.run([&](std::size_t part) {
      const Range images = share(batch, part, team.size());
      for (std::size_t i = images.first; i < images.last; ++i)
        relu_gradient(buffers.output[i], buffers.output_gradient[i], outputs_of(stage.layer),
                      buffers.output_gradient[i]);
    });
  team.run([&](std::size_t part) {
    parameter_gradient_share(stage.layer, buffers, batch, part, team.size());
    if (buffers.input_gradient.data == nullptr) return;
    float* columns = buffers.scratch + part * outputs_of(stage.layer) * kTileColumns;
    input_gradient_share(stage.layer, buffers, batch, columns, part, team.size());
  });
}

}  // namespace lockstep::exec
