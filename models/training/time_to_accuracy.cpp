// SPDX-License-Identifier: Apache-2.0
#include "models/training/time_to_accuracy.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace lockstep::training {

std::optional<double> iterations_to(const std::vector<AccuracyPoint>& curve, double accuracy) {
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (curve[i].accuracy < accuracy) continue;
    if (i == 0) return curve[i].iterations;
    const AccuracyPoint& before = curve[i - 1];
    const double share = (accuracy - before.accuracy) / (curve[i].accuracy - before.accuracy);
    return before.iterations + share * (curve[i].iterations - before.iterations);
  }
  return std::nullopt;
}

std::optional<NoiseSpread> noise_spread(const std::vector<double>& scales, double iterations) {
  std::vector<double> sorted;
  for (std::size_t i = 0; i < scales.size() && static_cast<double>(i) < iterations; ++i)
    if (!std::isnan(scales[i])) sorted.push_back(std::max(0.0, scales[i]));
  if (sorted.empty()) return std::nullopt;
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&](double share) {
    return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
  };
  return NoiseSpread{at(0.25), at(0.5), at(0.75)};
}

double iterations_at(double measured, std::int32_t measured_batch, std::int32_t batch,
                     double noise_scale) {
  return measured * (1 + noise_scale / batch) / (1 + noise_scale / measured_batch);
}

double statistical_efficiency(std::int32_t base_batch, std::int32_t batch, double noise_scale) {
  return (noise_scale + base_batch) / (noise_scale + batch);
}

}  // namespace lockstep::training
