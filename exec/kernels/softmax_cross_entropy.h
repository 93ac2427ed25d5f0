// SPDX-License-Identifier: Apache-2.0
// The loss of a classifier, and what it got right.
#pragma once

#include <cstddef>
#include <cstdint>

#include "exec/kernels/layer_buffers.h"

namespace lockstep::exec {

/// Σ over images of −ln(softmax(scores)[label]), in double precision; overwrites `gradient` with
/// the scores' gradient of `scale` times that sum, scale · (softmax(scores) − one-hot(label)).
/// Labels are in 0 … classes − 1.
double softmax_cross_entropy(Images<const float> scores, const std::int32_t* labels,
                             std::size_t batch, std::size_t classes, double scale,
                             Images<float> gradient);

/// Images whose largest score (the first one of equals) is their label's.
int count_correct(Images<const float> scores, const std::int32_t* labels, std::size_t batch,
                  std::size_t classes);

}  // namespace lockstep::exec
