// SPDX-License-Identifier: Apache-2.0
// The losses of a classifier, and what it got right. Labels are in 0 … classes − 1.
#pragma once

#include <cstddef>
#include <cstdint>

#include "exec/kernels/stage_buffers.h"

namespace lockstep::exec {

/// Σ over images of −ln(softmax(scores)[label]), in double precision; overwrites `gradient` with
/// the scores' gradient of `scale` times that sum, scale · (softmax(scores) − one-hot(label)).
double softmax_cross_entropy(Images<const float> scores, const std::int32_t* labels,
                             std::size_t batch, std::size_t classes, double scale,
                             Images<float> gradient);

/// Of one score s per image, the logarithm of the odds for label 1: Σ over images of
/// −ln(sigmoid(s)) for label 1, −ln(1 − sigmoid(s)) for label 0; and its gradient as above,
/// scale · (sigmoid(s) − label).
double sigmoid_cross_entropy(Images<const float> scores, const std::int32_t* labels,
                             std::size_t batch, double scale, Images<float> gradient);

/// Images whose largest score (the first one of equals) is their label's; of one score per image,
/// those where it is positive for label 1 and not for label 0.
int count_correct(Images<const float> scores, const std::int32_t* labels, std::size_t batch,
                  std::size_t scores_per_image);

}  // namespace lockstep::exec
