// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/convolution.h"

#include <algorithm>

#include "exec/kernels/matrix.h"
#include "exec/kernels/max_pool.h"
#include "exec/kernels/panels.h"
#include "exec/kernels/relu.h"
#include "exec/kernels/weight_gradient.h"

namespace lockstep::exec {
namespace {

using network::Layer;

std::size_t size(std::int32_t value) {
  return static_cast<std::size_t>(value);
}

Panels forward_panels(const Layer& layer) {
  const std::size_t inputs = size(layer.input.channels / layer.groups);
  return {size(layer.kernel) * size(layer.kernel) * inputs,
          pieces(size(layer.output.channels / layer.groups), kTileColumns), size(layer.groups)};
}

Panels backward_panels(const Layer& layer) {
  const std::size_t outputs = size(layer.output.channels / layer.groups);
  return {size(layer.kernel) * size(layer.kernel) * outputs,
          pieces(size(layer.input.channels / layer.groups), kTileColumns), size(layer.groups)};
}

/// The convolution's output map as the forward pass sees it.
Correlation forward_correlation(const ConvolutionStage& stage) {
  const Layer& layer = stage.convolution;
  Correlation k;
  k.in_height = layer.input.height;
  k.in_width = layer.input.width;
  k.channels = layer.input.channels / layer.groups;
  k.in_column = layer.input.channels;
  k.in_row = layer.input.width * k.in_column;
  k.taps_y = layer.kernel;
  k.taps_x = layer.kernel;
  k.step = layer.stride;
  k.top = layer.padding;
  k.left = layer.padding;
  k.tap_rows = layer.kernel * k.channels;
  k.relu = stage.relu && stage.pool == nullptr;
  k.outputs = layer.output.channels / layer.groups;
  k.out_height = layer.output.height;
  k.out_width = layer.output.width;
  k.out_column = layer.output.channels;
  k.out_row = layer.output.width * k.out_column;
  return k;
}

/// Pooled outputs of some panels at a share of all rows: the convolution's rows that a row of the
/// pool covers are made in `rows`, and pooled from there.
void forward_pooled(const ConvolutionStage& stage, Correlation k, Images<const float> in,
                    const StageBuffers& buffers, std::size_t batch, const PackedPanels& panels,
                    float* rows, RowShare part) {
  const Layer& pool = *stage.pool;
  const auto first = static_cast<std::ptrdiff_t>(panels.range.first * kTileColumns);
  const auto last = static_cast<std::ptrdiff_t>(panels.range.last * kTileColumns);
  const std::ptrdiff_t channels = std::min(last, k.outputs) - first;
  k.out_column = channels;
  k.out_row = k.out_width * channels;
  const std::size_t height = size(pool.output.height);
  const std::ptrdiff_t row = pool.output.width * pool.output.channels;
  const Range mine = share(batch * height, part.part, part.parts);
  for (std::size_t unit = mine.first; unit < mine.last; ++unit) {
    const std::size_t image = unit / height;
    const auto y = static_cast<std::ptrdiff_t>(unit % height);
    const std::ptrdiff_t top = y * pool.stride;
    for (std::size_t p = panels.range.first; p < panels.range.last; ++p)
      correlate_rows(k, in[image], top, top + pool.kernel, panels[p],
                     rows - top * k.out_row - first);
    const std::ptrdiff_t at =
        y * row + static_cast<std::ptrdiff_t>(panels.group) * k.outputs + first;
    max_pool_row(pool, stage.relu, rows, static_cast<std::size_t>(channels),
                 buffers.output[image] + at,
                 buffers.winners + image * pool.output.elements() + static_cast<std::size_t>(at));
  }
}

std::size_t pool_scratch(const ConvolutionStage& stage) {
  if (stage.pool == nullptr) return 0;
  return size(stage.pool->kernel) * size(stage.convolution.output.width) *
         whole_vectors(size(stage.convolution.output.channels));
}

/// Along one axis, the gradient of input position i comes from the outputs o with
/// o·stride + tap − padding = i. Positions that are equal modulo the stride see the same taps,
/// first_tap, first_tap + stride, …, and from one such position to the next the outputs move by
/// one: for each of these phases the gradient is a correlation of step 1 with the reversed taps.
struct Phase {
  std::ptrdiff_t first_tap;
  std::ptrdiff_t taps;
  std::ptrdiff_t lead;       // the window of the phase's position x begins at output x − lead
  std::ptrdiff_t positions;  // of an axis of the input
};

Phase phase_of(const Layer& layer, std::ptrdiff_t phase, std::ptrdiff_t axis) {
  const std::ptrdiff_t shifted = phase + layer.padding;
  const std::ptrdiff_t first_tap = shifted % layer.stride;
  const std::ptrdiff_t taps =
      first_tap < layer.kernel ? (layer.kernel - 1 - first_tap) / layer.stride + 1 : 0;
  return {first_tap, taps, taps - 1 - shifted / layer.stride,
          axis > phase ? (axis - phase + layer.stride - 1) / layer.stride : 0};
}

/// Weights for the gradient of up to kTileColumns inputs: window rows in reversed order; along a
/// row, phase by phase, the phase's taps reversed; of each tap a row for each output.
void pack_reversed(const Layer& layer, const float* weight, std::size_t number, float* panel) {
  const Panels panels = backward_panels(layer);
  const std::size_t inputs = size(layer.input.channels / layer.groups);
  const std::size_t outputs = size(layer.output.channels / layer.groups);
  const std::size_t row = size(layer.output.channels);
  const std::size_t kernel = size(layer.kernel);
  const std::size_t first = number % panels.per_group * kTileColumns;
  const std::size_t columns = std::min(kTileColumns, inputs - first);
  const std::size_t width = whole_vectors(columns);
  const float* from = weight + number / panels.per_group * outputs + first * row;
  for (std::size_t y = kernel; y-- > 0;)
    for (std::int32_t p = 0; p < std::min(layer.stride, layer.input.width); ++p) {
      const Phase phase = phase_of(layer, p, layer.input.width);
      for (std::ptrdiff_t tap = phase.taps - 1; tap >= 0; --tap, panel += outputs * width) {
        const auto x = static_cast<std::size_t>(phase.first_tap + tap * layer.stride);
        transpose(from + (y * kernel + x) * inputs * row, columns, outputs, row, panel, width);
      }
    }
}

/// A share of the input's gradient, one correlation for each phase of y and x.
void input_gradient_share(const Layer& layer, Images<const float> gradient, std::size_t images,
                          bool adds, Images<float> input_gradient, const PackedPanels& panels,
                          RowShare part) {
  const std::ptrdiff_t stride = layer.stride;
  const auto group = static_cast<std::ptrdiff_t>(panels.group);
  Correlation k;
  k.in_height = layer.output.height;
  k.in_width = layer.output.width;
  k.channels = layer.output.channels / layer.groups;
  k.in_column = layer.output.channels;
  k.in_row = layer.output.width * k.in_column;
  k.outputs = layer.input.channels / layer.groups;
  k.adds = adds;
  const std::ptrdiff_t column = layer.input.channels;
  const std::ptrdiff_t row = layer.input.width * column;
  k.out_column = stride * column;
  k.out_row = stride * row;
  const std::ptrdiff_t tap_rows = layer.kernel * k.channels;  // of a panel, per window row
  k.tap_rows = stride * tap_rows;
  const Images<const float> in{gradient.data + group * k.channels, gradient.stride};
  for (std::ptrdiff_t p = 0; p < std::min<std::ptrdiff_t>(stride, layer.input.height); ++p) {
    const Phase y = phase_of(layer, p, layer.input.height);
    k.taps_y = y.taps;
    k.top = y.lead;
    k.out_height = y.positions;
    // The phase's last tap is the first of its reversed rows.
    const std::ptrdiff_t last_tap = y.first_tap + (y.taps - 1) * stride;
    k.first_row = y.taps > 0 ? (layer.kernel - 1 - last_tap) * tap_rows : 0;
    for (std::ptrdiff_t q = 0; q < std::min<std::ptrdiff_t>(stride, layer.input.width); ++q) {
      const Phase x = phase_of(layer, q, layer.input.width);
      k.taps_x = x.taps;
      k.left = x.lead;
      k.out_width = x.positions;
      const std::ptrdiff_t at = p * row + q * column + group * k.outputs;
      if (!adds || (y.taps > 0 && x.taps > 0))
        correlate_share(k, in, images, panels, {input_gradient.data + at, input_gradient.stride},
                        part);
      k.first_row += x.taps * k.channels;
    }
  }
}

bool expands(const ConvolutionStage& stage) {
  return stage.relu || stage.pool != nullptr;
}

/// Images whose gradient in front of ReLU and pool is in the scratch at one time: so few that it
/// stays in a cache, but where weights have to be packed anew each time, not too few.
/// Sums are in the order of these groups: it must not depend on the number of threads.
std::size_t group_images(const ConvolutionStage& stage, std::size_t batch) {
  if (!expands(stage)) return batch;
  const bool repacks = !backward_panels(stage.convolution).are_shared(1);
  const std::size_t floats = std::size_t{repacks ? 4u << 20 : 256u << 10};
  return std::clamp<std::size_t>(floats / stage.convolution.output.elements(), 1, batch);
}

/// A share of what lies in front of ReLU and pool of some images, from `first` on: its gradient.
void expand_share(const ConvolutionStage& stage, const StageBuffers& buffers, std::size_t first,
                  std::size_t images, Images<float> into, RowShare part) {
  const Layer& layer = stage.convolution;
  const std::size_t height = size(stage.pool ? stage.pool->output.height : layer.output.height);
  const std::size_t row = layer.output.elements() / size(layer.output.height);
  const Range mine = share(images * height, part.part, part.parts);
  for (std::size_t unit = mine.first; unit < mine.last; ++unit) {
    const std::size_t image = first + unit / height;
    const std::size_t y = unit % height;
    const float* gradient = buffers.output_gradient[image];
    float* to = into[unit / height];
    if (stage.pool != nullptr)
      max_pool_expand_row(*stage.pool, y, gradient,
                          buffers.winners + image * stage.pool->output.elements(), to);
    else
      relu_gradient(buffers.output[image] + y * row, gradient + y * row, row, to + y * row);
  }
}

/// Part of the gradients of weight and bias: what some images, from `first` on, add to them.
void parameter_gradient_share(const Layer& layer, const StageBuffers& buffers, std::size_t first,
                              Images<const float> gradient, std::size_t images, RowShare part) {
  convolution_weight_gradient(layer, buffers.input.from(first), gradient, images, first > 0,
                              buffers.gradients, part.part, part.parts);
  if (!layer.bias) return;
  const std::size_t outputs = size(layer.output.channels);
  float* bias = buffers.gradients + layer.parameters[0].count;
  const Range mine = share(outputs, part.part, part.parts);
  if (first == 0) std::fill(bias + mine.first, bias + mine.last, 0.0f);
  for (std::size_t image = 0; image < images; ++image)
    add_rows(gradient[image], layer.output.elements() / outputs, outputs, mine, bias);
}

}  // namespace

std::size_t convolution_scratch(const ConvolutionStage& stage, std::size_t batch,
                                std::size_t threads) {
  const Layer& layer = stage.convolution;
  const std::size_t forward =
      forward_panels(layer).scratch(threads) + threads * pool_scratch(stage);
  const std::size_t backward =
      (layer.input_gradient ? backward_panels(layer).scratch(threads) : 0) +
      (expands(stage) ? group_images(stage, batch) * image_stride(layer.output.elements()) : 0);
  return std::max(forward, backward);
}

void convolution_forward(const ConvolutionStage& stage, const StageBuffers& buffers,
                         std::size_t batch, Team& team) {
  const Layer& layer = stage.convolution;
  const Panels panels = forward_panels(layer);
  const Correlation correlation = forward_correlation(stage);
  const std::size_t outputs = size(layer.output.channels / layer.groups);
  const std::size_t row = size(layer.output.channels);
  const auto pack = [&](std::size_t number, float* to) {
    const std::size_t first = number % panels.per_group * kTileColumns;
    pack_panel(buffers.parameters + number / panels.per_group * outputs + first, panels.rows,
               std::min(kTileColumns, outputs - first), row, to);
  };
  const auto work = [&](const PackedPanels& packed, RowShare part, std::size_t thread) {
    Correlation k = correlation;
    const auto group = static_cast<std::ptrdiff_t>(packed.group);
    if (layer.bias)
      k.start = buffers.parameters + layer.parameters[0].count + packed.group * outputs;
    const Images<const float> in{buffers.input.data + group * k.channels, buffers.input.stride};
    if (stage.pool != nullptr)
      forward_pooled(stage, k, in, buffers, batch, packed,
                     buffers.scratch + panels.scratch(team.size()) + thread * pool_scratch(stage),
                     part);
    else
      correlate_share(k, in, batch, packed,
                      {buffers.output.data + group * k.outputs, buffers.output.stride}, part);
  };
  const bool shared = panels.are_shared(team.size());
  if (shared) pack_shared(panels, team, buffers.scratch, pack);
  team.run([&](std::size_t thread) {
    const RowShare part{thread, team.size()};
    const auto mine = [&](const PackedPanels& packed, RowShare rows) {
      work(packed, rows, thread);
    };
    if (shared)
      work_shared(panels, buffers.scratch, part, mine);
    else
      work_alone(panels, buffers.scratch, part, pack, mine);
  });
}

void convolution_backward(const ConvolutionStage& stage, const StageBuffers& buffers,
                          std::size_t batch, Team& team) {
  const Layer& layer = stage.convolution;
  const Panels panels = backward_panels(layer);
  const bool needs_input = buffers.input_gradient.data != nullptr;
  const bool shared = panels.are_shared(team.size());
  const auto pack = [&](std::size_t number, float* to) {
    pack_reversed(layer, buffers.parameters, number, to);
  };
  if (needs_input && shared) pack_shared(panels, team, buffers.scratch, pack);
  float* expanded = buffers.scratch + (needs_input ? panels.scratch(team.size()) : 0);
  const std::size_t most = group_images(stage, batch);
  for (std::size_t first = 0; first < batch; first += most) {
    const std::size_t images = std::min(most, batch - first);
    Images<const float> gradient = buffers.output_gradient.from(first);
    if (expands(stage)) {
      const Images<float> into{expanded, image_stride(layer.output.elements())};
      team.run([&](std::size_t thread) {
        expand_share(stage, buffers, first, images, into, {thread, team.size()});
      });
      gradient = into;
    }
    team.run([&](std::size_t thread) {
      const RowShare part{thread, team.size()};
      parameter_gradient_share(layer, buffers, first, gradient, images, part);
      if (!needs_input) return;
      const auto work = [&](const PackedPanels& packed, RowShare rows) {
        input_gradient_share(layer, gradient, images, buffers.adds_input_gradient,
                             buffers.input_gradient.from(first), packed, rows);
      };
      if (shared)
        work_shared(panels, buffers.scratch, part, work);
      else
        work_alone(panels, buffers.scratch, part, pack, work);
    });
  }
}

}  // namespace lockstep::exec
