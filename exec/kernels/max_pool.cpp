// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/max_pool.h"

#include <algorithm>
#include <limits>

#include "exec/kernels/share.h"
#include "exec/kernels/vector.h"
#include "exec/kernels/window.h"

namespace lockstep::exec {
namespace {

using network::Layer;

std::size_t size(std::int32_t value) {
  return static_cast<std::size_t>(value);
}

/// The part of a window that lies on the image. Places count through the whole window.
struct Window {
  const float* first;     // its first visible pixel
  std::ptrdiff_t row;     // floats from one row to the next
  std::ptrdiff_t column;  // floats from one pixel to the next
  Taps y;
  Taps x;
  std::ptrdiff_t kernel;
};

/// Channels c … of one window: their maximum, beginning with `best` and the winner kNobody.
void pool_vector(const Window& w, std::size_t c, Vector best, float* output,
                 std::uint8_t* winners) {
  IntVector winner = IntVector{} + std::int32_t{kNobody};
  for (std::ptrdiff_t y = 0; y < w.y.count; ++y)
    for (std::ptrdiff_t x = 0; x < w.x.count; ++x) {
      const Vector value = load(w.first + y * w.row + x * w.column + c);
      const auto place = static_cast<std::int32_t>((w.y.first + y) * w.kernel + w.x.first + x);
      const auto wins = value > best;
      best = wins ? value : best;
      winner = wins ? IntVector{} + place : winner;
    }
  store(output + c, best);
  store_bytes(winners + c, winner);
}

void pool_channel(const Window& w, std::size_t c, float best, float* output,
                  std::uint8_t* winners) {
  std::uint8_t winner = kNobody;
  for (std::ptrdiff_t y = 0; y < w.y.count; ++y)
    for (std::ptrdiff_t x = 0; x < w.x.count; ++x) {
      const float value = w.first[y * w.row + x * w.column + static_cast<std::ptrdiff_t>(c)];
      if (!(value > best)) continue;
      best = value;
      winner = static_cast<std::uint8_t>((w.y.first + y) * w.kernel + w.x.first + x);
    }
  output[c] = best;
  winners[c] = winner;
}

void pool_window(const Window& window, float start, std::size_t channels, float* output,
                 std::uint8_t* winners) {
  const std::size_t whole = channels / kLanes * kLanes;
  for (std::size_t c = 0; c < whole; c += kLanes)
    pool_vector(window, c, Vector{} + start, output, winners);
  for (std::size_t c = whole; c < channels; ++c)
    pool_channel(window, c, start, output, winners);
}

constexpr float kLowest = -std::numeric_limits<float>::infinity();

/// Adds to (or sets) the gradient of a pixel that is place `place` of a window.
template <bool adds>
void take_gradient(const float* gradient, const std::uint8_t* winners, std::int32_t place,
                   std::size_t channels, float* pixel) {
  const std::size_t whole = channels / kLanes * kLanes;
  for (std::size_t c = 0; c < whole; c += kLanes) {
    const Vector taken = load_bytes(winners + c) == place ? load(gradient + c) : Vector{};
    store(pixel + c, adds ? load(pixel + c) + taken : taken);
  }
  for (std::size_t c = whole; c < channels; ++c) {
    const float taken = winners[c] == place ? gradient[c] : 0;
    pixel[c] = adds ? pixel[c] + taken : taken;
  }
}

/// Row `y` of one image's input gradient, gathered from the windows that cover it, so that rows
/// can be worked on side by side.
void gather_row(const Layer& layer, std::ptrdiff_t y, const float* output_gradient,
                const std::uint8_t* winners, bool adds, float* row) {
  const std::size_t channels = size(layer.input.channels);
  const std::ptrdiff_t kernel = layer.kernel, stride = layer.stride;
  if (!adds) std::fill_n(row, size(layer.input.width) * channels, 0.0f);
  const std::ptrdiff_t shifted = y + layer.padding;
  const std::ptrdiff_t first = shifted < kernel ? 0 : (shifted - kernel) / stride + 1;
  const std::ptrdiff_t last = std::min<std::ptrdiff_t>(shifted / stride + 1, layer.output.height);
  for (std::ptrdiff_t out_y = first; out_y < last; ++out_y)
    for (std::ptrdiff_t out_x = 0; out_x < layer.output.width; ++out_x) {
      const std::ptrdiff_t begin = out_x * stride - layer.padding;
      const Taps taps = visible_taps(begin, kernel, layer.input.width);
      const std::size_t at =
          static_cast<std::size_t>(out_y * layer.output.width + out_x) * channels;
      for (std::ptrdiff_t x = taps.first; x < taps.first + taps.count; ++x)
        take_gradient<true>(output_gradient + at, winners + at,
                            static_cast<std::int32_t>((shifted - out_y * stride) * kernel + x),
                            channels, row + (begin + x) * layer.input.channels);
    }
}

}  // namespace

void max_pool_forward(const Layer& layer, const StageBuffers& buffers, std::size_t batch,
                      Team& team) {
  const std::size_t channels = size(layer.input.channels);
  const std::size_t height = size(layer.output.height);
  const std::size_t out_row = size(layer.output.width) * channels;
  const std::ptrdiff_t in_row = layer.input.width * std::ptrdiff_t{layer.input.channels};
  team.run([&](std::size_t part) {
    const Range rows = share(batch * height, part, team.size());
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      const std::ptrdiff_t begin_y =
          static_cast<std::ptrdiff_t>(row % height) * layer.stride - layer.padding;
      const Taps y = visible_taps(begin_y, layer.kernel, layer.input.height);
      for (std::ptrdiff_t out_x = 0; out_x < layer.output.width; ++out_x) {
        const std::ptrdiff_t begin_x = out_x * layer.stride - layer.padding;
        const Taps x = visible_taps(begin_x, layer.kernel, layer.input.width);
        const float* first = buffers.input[row / height] + (begin_y + y.first) * in_row +
                             (begin_x + x.first) * layer.input.channels;
        const std::size_t at = static_cast<std::size_t>(out_x) * channels;
        pool_window({first, in_row, layer.input.channels, y, x, layer.kernel}, kLowest, channels,
                    buffers.output[row / height] + row % height * out_row + at,
                    buffers.winners + row * out_row + at);
      }
    }
  });
}

void max_pool_backward(const Layer& layer, const StageBuffers& buffers, std::size_t batch,
                       Team& team) {
  const std::size_t height = size(layer.input.height);
  const std::size_t in_row = size(layer.input.width) * size(layer.input.channels);
  team.run([&](std::size_t part) {
    const Range rows = share(batch * height, part, team.size());
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      const std::size_t image = row / height;
      gather_row(layer, static_cast<std::ptrdiff_t>(row % height), buffers.output_gradient[image],
                 buffers.winners + image * layer.output.elements(), buffers.adds_input_gradient,
                 buffers.input_gradient[image] + row % height * in_row);
    }
  });
}

void max_pool_row(const Layer& layer, bool relu, const float* rows, std::size_t channels,
                  float* output, std::uint8_t* winners) {
  const std::size_t pitch = size(layer.output.channels);
  const auto column = static_cast<std::ptrdiff_t>(channels);
  const Taps taps{0, layer.kernel};
  for (std::size_t x = 0; x < size(layer.output.width); ++x)
    pool_window({rows + x * size(layer.stride) * channels, layer.input.width * column, column, taps,
                 taps, layer.kernel},
                relu ? 0 : kLowest, channels, output + x * pitch, winners + x * pitch);
}

void max_pool_expand_row(const Layer& layer, std::size_t y, const float* output_gradient,
                         const std::uint8_t* winners, float* input_gradient) {
  const std::size_t channels = size(layer.input.channels);
  const std::size_t kernel = size(layer.kernel), stride = size(layer.stride);
  const std::size_t in_row = size(layer.input.width) * channels;
  const std::size_t out_row = size(layer.output.width) * channels;
  float* rows = input_gradient + y * stride * in_row;
  for (std::size_t ky = 0; ky < kernel; ++ky, rows += in_row) {
    for (std::size_t x = 0; x < size(layer.output.width); ++x) {
      const std::size_t at = y * out_row + x * channels;
      float* pixels = rows + x * stride * channels;
      for (std::size_t kx = 0; kx < kernel; ++kx)
        take_gradient<false>(output_gradient + at, winners + at,
                             static_cast<std::int32_t>(ky * kernel + kx), channels,
                             pixels + kx * channels);
      if (stride > kernel && x + 1 < size(layer.output.width))
        std::fill_n(pixels + kernel * channels, (stride - kernel) * channels, 0.0f);
    }
    const std::size_t covered = ((size(layer.output.width) - 1) * stride + kernel) * channels;
    std::fill(rows + covered, rows + in_row, 0.0f);
  }
  const bool is_last = y + 1 == size(layer.output.height);
  float* end = input_gradient + (is_last ? size(layer.input.height) : (y + 1) * stride) * in_row;
  std::fill(rows, end, 0.0f);
}

}  // namespace lockstep::exec
