// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/relu.h"

#include "exec/kernels/share.h"

namespace lockstep::exec {
namespace {

/// Calls task(image, elements) for every image, with the elements that are this part's.
template <typename Task>
void for_share(const network::Layer& layer, std::size_t batch, Team& team, const Task& task) {
  team.run([&](std::size_t part) {
    const Range elements =
        share(static_cast<std::size_t>(layer.output.elements()), part, team.size());
    for (std::size_t image = 0; image < batch; ++image)
      task(image, elements);
  });
}

}  // namespace

void relu_forward(const network::Layer& layer, const LayerBuffers& buffers, std::size_t batch,
                  Team& team) {
  for_share(layer, batch, team, [&](std::size_t image, Range elements) {
    const float* input = buffers.input[image];
    float* output = buffers.output[image];
#pragma GCC ivdep  // in place, each element depends on itself only
    for (std::size_t i = elements.first; i < elements.last; ++i)
      output[i] = input[i] > 0 ? input[i] : 0;
  });
}

void relu_input_gradient(const network::Layer& layer, const LayerBuffers& buffers,
                         std::size_t batch, Team& team) {
  for_share(layer, batch, team, [&](std::size_t image, Range elements) {
    const float* output = buffers.output[image];
    const float* output_gradient = buffers.output_gradient[image];
    float* input_gradient = buffers.input_gradient[image];
#pragma GCC ivdep  // in place, each element depends on itself only
    for (std::size_t i = elements.first; i < elements.last; ++i)
      input_gradient[i] = output[i] > 0 ? output_gradient[i] : 0;
  });
}

}  // namespace lockstep::exec
