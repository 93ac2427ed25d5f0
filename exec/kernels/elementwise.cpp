// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/elementwise.h"

#include <algorithm>
#include <cmath>

#include "exec/kernels/relu.h"
#include "exec/kernels/share.h"
#include "models/base/random.h"

namespace lockstep::exec {
namespace {

using network::Layer;

/// Calls task(image) for this team's shares of the images.
template <typename Task>
void for_images(std::size_t batch, Team& team, const Task& task) {
  team.run([&](std::size_t part) {
    const Range images = share(batch, part, team.size());
    for (std::size_t image = images.first; image < images.last; ++image)
      task(image);
  });
}

void pass_on_image(const float* from, std::size_t elements, bool adds, float* into) {
  if (!adds) {
    std::copy_n(from, elements, into);
    return;
  }
  for (std::size_t i = 0; i < elements; ++i)
    into[i] += from[i];
}

/// One image: 32 random bits for each element.
void drop(const Layer& layer, const DropoutDraw& draw, std::size_t image, const float* from,
          bool adds, float* into) {
  constexpr double kAll = 0x1p32;
  const auto dropped = static_cast<std::uint64_t>(std::llround(layer.rate * kAll));
  const auto scale = static_cast<float>(1 / (1 - layer.rate));
  const std::uint64_t place = draw.first_image + image;
  Random random(draw.seed, draw.layer << 32 | place, draw.iteration);
  const std::size_t elements = layer.input.elements();
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < elements; ++i) {
    bits = i % 2 == 0 ? random.next() : bits >> 32;
    const float value = (bits & 0xFFFF'FFFFu) < dropped ? 0 : scale * from[i];
    into[i] = adds ? into[i] + value : value;
  }
}

}  // namespace

void pass_on(Images<const float> from, std::size_t elements, std::size_t batch, bool adds,
             Images<float> into, Team& team) {
  for_images(batch, team,
             [&](std::size_t image) { pass_on_image(from[image], elements, adds, into[image]); });
}

void relu_forward(const Layer& layer, const StageBuffers& buffers, std::size_t batch, Team& team) {
  for_images(batch, team, [&](std::size_t image) {
    relu(buffers.input[image], layer.input.elements(), buffers.output[image]);
  });
}

void relu_backward(const Layer& layer, const StageBuffers& buffers, std::size_t batch, Team& team) {
  const std::size_t elements = layer.input.elements();
  for_images(batch, team, [&](std::size_t image) {
    float* gradient = buffers.output_gradient[image];
    relu_gradient(buffers.output[image], gradient, elements, gradient);
    pass_on_image(gradient, elements, buffers.adds_input_gradient, buffers.input_gradient[image]);
  });
}

void add_forward(const Layer& layer, bool has_relu, const StageBuffers& buffers, std::size_t batch,
                 Team& team) {
  const std::size_t elements = layer.input.elements();
  for_images(batch, team, [&](std::size_t image) {
    const float* input = buffers.input[image];
    const float* residual = buffers.residual[image];
    float* output = buffers.output[image];
    for (std::size_t i = 0; i < elements; ++i)
      output[i] = input[i] + residual[i];
    if (has_relu) relu(output, elements, output);
  });
}

void add_backward(const Layer& layer, bool has_relu, const StageBuffers& buffers, std::size_t batch,
                  Team& team) {
  const std::size_t elements = layer.input.elements();
  for_images(batch, team, [&](std::size_t image) {
    float* gradient = buffers.output_gradient[image];
    if (has_relu) relu_gradient(buffers.output[image], gradient, elements, gradient);
    if (buffers.input_gradient.data != nullptr)
      pass_on_image(gradient, elements, buffers.adds_input_gradient, buffers.input_gradient[image]);
  });
}

void dropout_forward(const Layer& layer, const DropoutDraw& draw, const StageBuffers& buffers,
                     std::size_t batch, Team& team) {
  for_images(batch, team, [&](std::size_t image) {
    drop(layer, draw, image, buffers.input[image], false, buffers.output[image]);
  });
}

void dropout_backward(const Layer& layer, const DropoutDraw& draw, const StageBuffers& buffers,
                      std::size_t batch, Team& team) {
  for_images(batch, team, [&](std::size_t image) {
    drop(layer, draw, image, buffers.output_gradient[image], buffers.adds_input_gradient,
         buffers.input_gradient[image]);
  });
}

void copy_forward(const Layer& layer, const StageBuffers& buffers, std::size_t batch, Team& team) {
  pass_on(buffers.input, layer.input.elements(), batch, false, buffers.output, team);
}

void copy_backward(const Layer& layer, const StageBuffers& buffers, std::size_t batch, Team& team) {
  pass_on(buffers.output_gradient, layer.input.elements(), batch, buffers.adds_input_gradient,
          buffers.input_gradient, team);
}

}  // namespace lockstep::exec
