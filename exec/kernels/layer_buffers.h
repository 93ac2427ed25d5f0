// SPDX-License-Identifier: Apache-2.0
// What the functions of a layer read and write.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lockstep::exec {

/// The activations of a batch, or their gradients: image i begins at data + i·stride, and lies
/// there in channels-last order (row, column, channel).
template <typename Float>
struct Images {
  Float* data = nullptr;
  std::size_t stride = 0;

  Float* operator[](std::size_t image) const { return data + image * stride; }
};

/// Buffers of one layer, owned by the Model. All but `input` of the first layer lie in buffers
/// with kTileColumns readable floats behind their end.
struct LayerBuffers {
  Images<const float> input;
  Images<float> output;  // ReLU: may be `input`
  Images<const float> output_gradient;
  Images<float> input_gradient;  // ReLU: may be `output_gradient`; unused for the first layer
  const float* weight = nullptr;
  const float* bias = nullptr;
  float* weight_gradient = nullptr;
  float* bias_gradient = nullptr;
  std::int32_t* winners = nullptr;  // MaxPool: place of each output's maximum in its window
  float* scratch = nullptr;         // shared by all layers; nothing survives in it
};

}  // namespace lockstep::exec
