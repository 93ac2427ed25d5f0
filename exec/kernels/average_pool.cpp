// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/average_pool.h"

#include <algorithm>

#include "exec/kernels/share.h"
#include "exec/kernels/window.h"

namespace lockstep::exec {
namespace {

using network::Layer;

std::size_t size(std::int32_t value) {
  return static_cast<std::size_t>(value);
}

/// Windows along both axes; a global pool has one that is the map.
struct Windowing {
  explicit Windowing(const Layer& layer)
      : height(layer.kernel), width(layer.kernel), stride(layer.stride), padding(layer.padding) {
    if (layer.kind != network::LayerKind::GlobalAveragePool) return;
    height = layer.input.height;
    width = layer.input.width;
  }
  float weight() const { return 1.0f / static_cast<float>(height * width); }

  std::ptrdiff_t height, width, stride, padding;
};

/// Calls pixel(output offset, input offset) for each pixel of each window of row `out_y`.
template <typename Pixel>
void for_windows(const Layer& layer, const Windowing& windows, std::ptrdiff_t out_y,
                 const Pixel& pixel) {
  const std::ptrdiff_t channels = layer.input.channels;
  const std::ptrdiff_t begin_y = out_y * windows.stride - windows.padding;
  const Taps ys = visible_taps(begin_y, windows.height, layer.input.height);
  for (std::ptrdiff_t out_x = 0; out_x < layer.output.width; ++out_x) {
    const std::ptrdiff_t begin_x = out_x * windows.stride - windows.padding;
    const Taps xs = visible_taps(begin_x, windows.width, layer.input.width);
    for (std::ptrdiff_t y = begin_y + ys.first; y < begin_y + ys.first + ys.count; ++y)
      for (std::ptrdiff_t x = begin_x + xs.first; x < begin_x + xs.first + xs.count; ++x)
        pixel((out_y * layer.output.width + out_x) * channels,
              (y * layer.input.width + x) * channels);
  }
}

}  // namespace

void average_pool_forward(const Layer& layer, const StageBuffers& buffers, std::size_t batch,
                          Team& team) {
  const Windowing windows(layer);
  const std::size_t channels = size(layer.input.channels);
  const std::size_t height = size(layer.output.height);
  const std::size_t row = size(layer.output.width) * channels;
  team.run([&](std::size_t part) {
    const Range rows = share(batch * height, part, team.size());
    for (std::size_t r = rows.first; r < rows.last; ++r) {
      const float* input = buffers.input[r / height];
      float* output = buffers.output[r / height];
      float* begin = output + r % height * row;
      std::fill_n(begin, row, 0.0f);
      for_windows(layer, windows, static_cast<std::ptrdiff_t>(r % height),
                  [&](std::ptrdiff_t to, std::ptrdiff_t from) {
                    for (std::size_t c = 0; c < channels; ++c)
                      output[to + static_cast<std::ptrdiff_t>(c)] +=
                          input[from + static_cast<std::ptrdiff_t>(c)];
                  });
      for (std::size_t i = 0; i < row; ++i)
        begin[i] *= windows.weight();
    }
  });
}

// Windows may overlap: an image is one thread's.
void average_pool_backward(const Layer& layer, const StageBuffers& buffers, std::size_t batch,
                           Team& team) {
  const Windowing windows(layer);
  const std::size_t channels = size(layer.input.channels);
  team.run([&](std::size_t part) {
    const Range images = share(batch, part, team.size());
    for (std::size_t image = images.first; image < images.last; ++image) {
      const float* gradient = buffers.output_gradient[image];
      float* into = buffers.input_gradient[image];
      if (!buffers.adds_input_gradient) std::fill_n(into, layer.input.elements(), 0.0f);
      for (std::ptrdiff_t y = 0; y < layer.output.height; ++y)
        for_windows(layer, windows, y, [&](std::ptrdiff_t from, std::ptrdiff_t to) {
          for (std::size_t c = 0; c < channels; ++c)
            into[to + static_cast<std::ptrdiff_t>(c)] +=
                windows.weight() * gradient[from + static_cast<std::ptrdiff_t>(c)];
        });
    }
  });
}

}  // namespace lockstep::exec
