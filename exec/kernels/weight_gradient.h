// SPDX-License-Identifier: Apache-2.0
// The gradient of a convolution's weights.
#pragma once

#include <cstddef>

#include "exec/kernels/stage_buffers.h"
#include "models/network/network.h"

namespace lockstep::exec {

/// Part `part` of `parts` of the weights' gradient: the sum over `images` of input windows times
/// `gradient`, that of the output. It overwrites what is there, or with `adds` adds to it.
void convolution_weight_gradient(const network::Layer& layer, Images<const float> input,
                                 Images<const float> gradient, std::size_t images, bool adds,
                                 float* weight_gradient, std::size_t part, std::size_t parts);

}  // namespace lockstep::exec
