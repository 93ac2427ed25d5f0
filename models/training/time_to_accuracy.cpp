// SPDX-License-Identifier: Apache-2.0
#include "models/training/time_to_accuracy.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "models/base/errors.h"

namespace lockstep::training {

namespace {

const std::string kNone = "none";

}  // namespace

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

const LearningRun& nearest_run(const std::vector<LearningRun>& runs,
                               const LearningSetting& setting) {
  LOCKSTEP_CHECK(!runs.empty(), "nothing was measured");
  const auto distance = [&](const LearningRun& run) {
    const std::string& codec = run.setting.codec;
    const int strangeness = codec == setting.codec ? 0 : codec == kNone ? 1 : 2;
    return std::pair(strangeness,
                     std::abs(std::log(static_cast<double>(run.setting.batch) / setting.batch)));
  };
  return *std::min_element(
      runs.begin(), runs.end(),
      [&](const LearningRun& a, const LearningRun& b) { return distance(a) < distance(b); });
}

std::vector<std::string> extrapolated(const LearningSetting& measured,
                                      const LearningSetting& setting, bool ranks_count) {
  std::vector<std::string> names;
  if (measured.batch != setting.batch) names.push_back("batch");
  if (measured.codec != setting.codec) names.push_back("codec");
  if ((ranks_count || setting.codec != kNone) && measured.ranks != setting.ranks)
    names.push_back("ranks");
  return names;
}

}  // namespace lockstep::training
