// SPDX-License-Identifier: Apache-2.0
// The steps of Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019), and
// what LAMB (You et al. 2020) makes of it. On any slice of the flat buffers.
#pragma once

#include <cstdint>
#include <span>

namespace lockstep::exec {

/// With the moments m and v, a parameter w moves in the direction
/// r = (m · first_correction) / (√(v · second_correction) + epsilon) + weight_decay · w.
struct AdamStep {
  float rate = 0;
  float beta1 = 0.9f;
  float beta2 = 0.999f;
  float epsilon = 1e-8f;
  float weight_decay = 0;
  float first_correction = 1;   // 1 / (1 − beta1^t)
  float second_correction = 1;  // 1 / (1 − beta2^t)

  /// For update `iteration`, from 0: t = iteration + 1.
  void correct(std::int32_t iteration, double exact_beta1, double exact_beta2);
};

/// m ← beta1 · m + (1 − beta1) · g, v ← beta2 · v + (1 − beta2) · g². Spans have one length.
void move_moments(std::span<float> first, std::span<float> second, std::span<const float> gradients,
                  const AdamStep& step);

/// Σ r² of a slice, under its moments.
double squared_direction(std::span<const float> parameters, std::span<const float> first,
                         std::span<const float> second, const AdamStep& step);

/// w ← w − ratio · rate · r. Adam's ratio is 1.
void follow(std::span<float> parameters, std::span<const float> first,
            std::span<const float> second, const AdamStep& step, float ratio);

/// LAMB's ratio of a tensor: |w| / |r|; 1 if either is 0.
double lamb_ratio(double parameter_norm, double direction_norm);

}  // namespace lockstep::exec
