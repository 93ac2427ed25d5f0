// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/cross_entropy.h"

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

// With s the score towards the label (or away from it, with the sign turned), the loss is
// ln(1 + exp(−s)): written so that nothing overflows.
double sigmoid_cross_entropy(Images<const float> scores, const std::int32_t* labels,
                             std::size_t batch, double scale, Images<float> gradient) {
  double loss = 0;
  for (std::size_t image = 0; image < batch; ++image) {
    const std::int32_t label = labels[image];
    LOCKSTEP_CHECK(label == 0 || label == 1, "label " + std::to_string(label));
    const double score = scores[image][0];
    const double towards = label == 1 ? score : -score;
    const double small = std::exp(-std::abs(score));  // the lesser of the two odds
    loss += std::max(-towards, 0.0) + std::log1p(small);
    const double probability = (score > 0 ? 1 : small) / (1 + small);
    gradient[image][0] = static_cast<float>(scale * (probability - label));
  }
  return loss;
}

int count_correct(Images<const float> scores, const std::int32_t* labels, std::size_t batch,
                  std::size_t scores_per_image) {
  int correct = 0;
  for (std::size_t image = 0; image < batch; ++image) {
    const float* score = scores[image];
    const std::ptrdiff_t answer = scores_per_image == 1
                                      ? (score[0] > 0 ? 1 : 0)
                                      : std::max_element(score, score + scores_per_image) - score;
    if (answer == labels[image]) ++correct;
  }
  return correct;
}

}  // namespace lockstep::exec
