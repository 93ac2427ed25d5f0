// SPDX-License-Identifier: Apache-2.0
// max(0, x), both directions. Layers with an own loop over their outputs apply it themselves.
#pragma once

#include <cstddef>

namespace lockstep::exec {

void relu(const float* input, std::size_t count, float* output);

/// into = gradient where the output is positive, else zero (also at zero). `into` may be
/// `gradient`.
void relu_gradient(const float* output, const float* gradient, std::size_t count, float* into);

}  // namespace lockstep::exec
