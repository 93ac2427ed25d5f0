// SPDX-License-Identifier: Apache-2.0
// What the functions of a stage read and write.
#pragma once

#include <cstddef>
#include <cstdint>

#include "exec/kernels/share.h"

namespace lockstep::exec {

/// The activations of a batch, or their gradients: image i begins at data + i·stride, and lies
/// there in channels-last order (row, column, channel).
template <typename Float>
struct Images {
  Float* data = nullptr;
  std::size_t stride = 0;

  Float* operator[](std::size_t image) const { return data + image * stride; }
  operator Images<const Float>() const { return {data, stride}; }
  Images from(std::size_t image) const { return {data + image * stride, stride}; }
};

/// Floats from one image to the next: an odd number of cache lines, so that the same element of
/// many images doesn't fall into the same set of a cache.
inline std::size_t image_stride(std::size_t elements) {
  constexpr std::size_t kLine = 16;
  return (pieces(elements, kLine) | 1) * kLine;
}

/// Buffers of one stage, owned by the Model. All but images lie in buffers with kTileColumns
/// readable floats behind their end.
struct StageBuffers {
  Images<const float> input;
  Images<const float> residual;  // what an addition adds
  Images<float> output;
  Images<float> output_gradient;      // may be overwritten by what a ReLU lets through of it
  Images<float> input_gradient;       // data null where nobody needs it
  bool adds_input_gradient = false;   // to what another stage has left there
  const float* parameters = nullptr;  // the first layer's, in the order of Layer::parameters
  float* gradients = nullptr;         // likewise
  std::uint8_t* winners = nullptr;    // max-pool: place of each output's maximum in its window
  float* sums = nullptr;              // batch normalisation: see batch_norm.h
  float* shift = nullptr;             // likewise
  float* scratch = nullptr;           // shared by all stages; nothing survives in it
};

}  // namespace lockstep::exec
