// SPDX-License-Identifier: Apache-2.0
// From one measured learning run to the updates that any batch needs for the same accuracy.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep::training {

/// The test accuracy after so many updates.
struct AccuracyPoint {
  std::int32_t iterations = 0;
  double accuracy = 0;
};

/// Updates until a run first had the accuracy, straight between two points (the curve begins behind
/// the first point); none if it never had.
std::optional<double> iterations_to(const std::vector<AccuracyPoint>& curve, double accuracy);

/// A spread of the noise scale over a run, in images.
struct NoiseSpread {
  double low = 0;  // quartiles
  double middle = 0;
  double high = 0;
};
/// Of the smoothed scale after each of the first `iterations` iterations; NaN is passed over. None
/// if there is nothing else.
std::optional<NoiseSpread> noise_spread(const std::vector<double>& scales, double iterations);

/// Updates at `batch`, if a run at `measured_batch` needed `measured`: in the model of McCandlish
/// et al. (2018, eq. 2.7 and 5.4) proportional to 1 + noise_scale / batch. It supposes a rate that
/// is right for each batch, and that the scale is the same.
double iterations_at(double measured, std::int32_t measured_batch, std::int32_t batch,
                     double noise_scale);

/// What an image is worth at `batch` against one at `base_batch` (Qiao et al. 2021, Pollux, eq. 4):
/// (noise_scale + base_batch) / (noise_scale + batch). Images per second times it is goodput.
double statistical_efficiency(std::int32_t base_batch, std::int32_t batch, double noise_scale);

/// What learning depends on, that a plan goes over.
struct LearningSetting {
  std::string codec = "none";  // as --compression spells it
  std::int32_t ranks = 1;
  std::int32_t batch = 0;
};

/// A measured run that reached the accuracy.
struct LearningRun {
  LearningSetting setting;
  double iterations = 0;  // to it
};

/// The run to tell a setting's updates from: one with its codec, else one without any, else what
/// there is; of several that of the nearest batch, by ratio. There is a run.
const LearningRun& nearest_run(const std::vector<LearningRun>& runs,
                               const LearningSetting& setting);

/// What a run at `measured` does not say of `setting`: "batch", which the noise scale bridges;
/// "codec", which nothing does; "ranks", where `ranks_count` or each encodes by itself.
std::vector<std::string> extrapolated(const LearningSetting& measured,
                                      const LearningSetting& setting, bool ranks_count);

}  // namespace lockstep::training
