// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/max_pool.h"

#include <algorithm>

#include "exec/kernels/share.h"

namespace lockstep::exec {
namespace {

using network::Layer;

/// The sizes of a layer as indices.
struct Sizes {
  explicit Sizes(const Layer& layer)
      : kernel(static_cast<std::size_t>(layer.kernel)),
        stride(static_cast<std::size_t>(layer.stride)),
        channels(static_cast<std::size_t>(layer.input.channels)),
        in_height(static_cast<std::size_t>(layer.input.height)),
        in_width(static_cast<std::size_t>(layer.input.width)),
        out_height(static_cast<std::size_t>(layer.output.height)),
        out_width(static_cast<std::size_t>(layer.output.width)) {}

  std::size_t kernel, stride, channels, in_height, in_width, out_height, out_width;
};

/// One window of all channels. `input` is the window's first pixel.
void pool_window(const Sizes& s, const float* input, float* output, std::int32_t* winners) {
  std::copy_n(input, s.channels, output);
  std::fill_n(winners, s.channels, 0);
  for (std::size_t place = 1; place < s.kernel * s.kernel; ++place) {
    const float* pixel = input + (place / s.kernel * s.in_width + place % s.kernel) * s.channels;
    for (std::size_t c = 0; c < s.channels; ++c) {
      const bool wins = pixel[c] > output[c];
      output[c] = wins ? pixel[c] : output[c];
      winners[c] = wins ? static_cast<std::int32_t>(place) : winners[c];
    }
  }
}

/// Row `y` of one image's input gradient, gathered from the windows that cover it, so that rows
/// can be worked on side by side.
void gather_row(const Sizes& s, std::size_t y, const float* output_gradient,
                const std::int32_t* winners, float* row) {
  std::fill_n(row, s.in_width * s.channels, 0.0f);
  const std::size_t first = y < s.kernel ? 0 : (y - s.kernel) / s.stride + 1;
  const std::size_t last = std::min(y / s.stride + 1, s.out_height);
  for (std::size_t out_y = first; out_y < last; ++out_y)
    for (std::size_t out_x = 0; out_x < s.out_width; ++out_x) {
      const std::size_t window = (out_y * s.out_width + out_x) * s.channels;
      const float* gradient = output_gradient + window;
      const std::int32_t* winner = winners + window;
      for (std::size_t x = 0; x < s.kernel; ++x) {
        const auto place = static_cast<std::int32_t>((y - out_y * s.stride) * s.kernel + x);
        float* pixel = row + (out_x * s.stride + x) * s.channels;
        for (std::size_t c = 0; c < s.channels; ++c)
          pixel[c] += winner[c] == place ? gradient[c] : 0;
      }
    }
}

}  // namespace

void max_pool_forward(const Layer& layer, const LayerBuffers& buffers, std::size_t batch,
                      Team& team) {
  const Sizes s(layer);
  team.run([&](std::size_t part) {
    const Range rows = share(batch * s.out_height, part, team.size());
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      const std::size_t image = row / s.out_height;
      const std::size_t y = row % s.out_height;
      for (std::size_t x = 0; x < s.out_width; ++x)
        pool_window(s, buffers.input[image] + (y * s.in_width + x) * s.stride * s.channels,
                    buffers.output[image] + (y * s.out_width + x) * s.channels,
                    buffers.winners + (row * s.out_width + x) * s.channels);
    }
  });
}

void max_pool_input_gradient(const Layer& layer, const LayerBuffers& buffers, std::size_t batch,
                             Team& team) {
  const Sizes s(layer);
  team.run([&](std::size_t part) {
    const Range rows = share(batch * s.in_height, part, team.size());
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      const std::size_t image = row / s.in_height;
      const std::size_t y = row % s.in_height;
      gather_row(s, y, buffers.output_gradient[image],
                 buffers.winners + image * s.out_height * s.out_width * s.channels,
                 buffers.input_gradient[image] + y * s.in_width * s.channels);
    }
  });
}

}  // namespace lockstep::exec
