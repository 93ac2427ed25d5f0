// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/softmax_cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "models/base/errors.h"

namespace lockstep::exec {

double softmax_cross_entropy(Images<const float> scores, const std::int32_t* labels,
                             std::size_t batch, std::size_t classes, double scale,
                             Images<float> gradient) {
  double loss = 0;
  for (std::size_t image = 0; image < batch; ++image) {
    const float* score = scores[image];
    const std::int32_t label = labels[image];
    LOCKSTEP_CHECK(label >= 0 && static_cast<std::size_t>(label) < classes,
                   "label " + std::to_string(label));
    // Relative to the largest score nothing overflows, and the softmax is the same.
    const double largest = *std::max_element(score, score + classes);
    double sum = 0;
    for (std::size_t c = 0; c < classes; ++c)
      sum += std::exp(score[c] - largest);
    for (std::size_t c = 0; c < classes; ++c) {
      const double target = static_cast<std::int32_t>(c) == label ? 1 : 0;
      gradient[image][c] =
          static_cast<float>(scale * (std::exp(score[c] - largest) / sum - target));
    }
    loss += std::log(sum) - (score[label] - largest);
  }
  return loss;
}

int count_correct(Images<const float> scores, const std::int32_t* labels, std::size_t batch,
                  std::size_t classes) {
  int correct = 0;
  for (std::size_t image = 0; image < batch; ++image) {
    const float* score = scores[image];
    if (std::max_element(score, score + classes) - score == labels[image]) ++correct;
  }
  return correct;
}

}  // namespace lockstep::exec
