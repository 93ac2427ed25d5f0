// SPDX-License-Identifier: Apache-2.0
// The gradient noise scale (McCandlish et al. 2018): beyond how large a batch more images hardly
// help. Estimated from gradients that data parallel training has anyway.
#pragma once

#include <optional>

#include "models/training/job.h"

namespace lockstep::training {

/// Squared norms of one iteration's gradients, each the mean over its images: of the parts that
/// ranks and micro-batches are, and of the whole batch.
struct GradientNorms {
  double part_squared = 0;  // mean over the parts of |g|²
  double part_images = 0;   // harmonic mean of the parts' images
  double whole_squared = 0;
  double whole_images = 0;
};

/// `parts_squared`: the sum over all parts of all ranks.
GradientNorms gradient_norms(const Job& job, double parts_squared, double whole_squared);

/// Unbiased estimates of |G|², of the true gradient, and of the trace of the covariance of one
/// image's gradient (appendix A.1). Of one iteration they may well be negative.
struct NoiseEstimate {
  double gradient_squared = 0;
  double variance = 0;
};
NoiseEstimate estimate_noise(const GradientNorms& norms);

/// Both smoothed over iterations, each by itself, then divided.
class NoiseScale {
 public:
  void add(const GradientNorms& norms);
  /// Images: variance ÷ |G|². The batch at which training takes twice the fewest updates, and sees
  /// twice the fewest images, there could be. None as long as the estimate of |G|² is not positive.
  std::optional<double> images() const;

 private:
  static constexpr double kWeight = 0.01;  // of the iteration at hand
  NoiseEstimate smoothed_;
  bool is_empty_ = true;
};

}  // namespace lockstep::training
