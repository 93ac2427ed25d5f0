// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/relu.h"

namespace lockstep::exec {

void relu(const float* input, std::size_t count, float* output) {
  for (std::size_t i = 0; i < count; ++i)
    output[i] = input[i] < 0 ? 0 : input[i];
}

void relu_gradient(const float* output, const float* gradient, std::size_t count, float* into) {
#pragma GCC ivdep  // in place, each element depends on itself only
  for (std::size_t i = 0; i < count; ++i)
    into[i] = output[i] > 0 ? gradient[i] : 0;
}

}  // namespace lockstep::exec
