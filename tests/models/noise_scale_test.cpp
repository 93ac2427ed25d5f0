// SPDX-License-Identifier: Apache-2.0
// The gradient noise scale against populations whose variance is known.
#include "models/training/noise_scale.h"

#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "models/base/random.h"

using namespace lockstep;
using namespace lockstep::training;

TEST_CASE("noise: two gradients by hand", "[training]") {
  // g₁ = (3, 0), g₂ = (1, 0), an image each: mean |g|² = 5, |mean|² = 4.
  // |G|² = (2 · 4 − 1 · 5) / (2 − 1) = 3, variance = (5 − 4) / (1 − 1/2) = 2.
  NoiseScale scale;
  const GradientNorms norms{5, 1, 4, 2};
  CHECK(estimate_noise(norms).gradient_squared == Approx(3));
  CHECK(estimate_noise(norms).variance == Approx(2));
  CHECK_FALSE(scale.images());
  scale.add(norms);
  CHECK(scale.images().value() == Approx(2.0 / 3));
  // g₁ = (1, 0), g₂ = (0, 1): |G|² = 2 · ½ − 1 = 0. Nothing can be said.
  NoiseScale none;
  none.add({1, 1, 0.5, 2});
  CHECK_FALSE(none.images());
}

TEST_CASE("noise: over all pairs of a population the estimates are exact", "[training]") {
  // {1, 2, 4, 7} with replacement: mean 3.5, mean² 12.25; variance (6.25 + 2.25 + 0.25 + 12.25) / 4
  // = 5.25.
  double squared = 0, variance = 0;
  for (const double a : {1, 2, 4, 7})
    for (const double b : {1, 2, 4, 7}) {
      const NoiseEstimate now = estimate_noise({(a * a + b * b) / 2, 1, (a + b) * (a + b) / 4, 2});
      squared += now.gradient_squared / 16;
      variance += now.variance / 16;
    }
  CHECK(squared == Approx(12.25));
  CHECK(variance == Approx(5.25));
}

TEST_CASE("noise: within a tenth on a quadratic with known covariance, ragged parts",
          "[training]") {
  // The loss of an image is Σ hᵢ (wᵢ − xᵢ)² / 2, x normal about 0 with deviation sᵢ. At w the true
  // gradient is h w, and an image's differs from it by h x: the trace of the covariance is
  // Σ hᵢ² sᵢ².
  constexpr std::uint64_t kSeed = 5;
  INFO("seed " << kSeed);
  Random random(kSeed);
  constexpr std::size_t kDimensions = 40;
  std::array<double, kDimensions> curvature, deviation, w;
  double squared = 0, variance = 0;
  for (std::size_t i = 0; i < kDimensions; ++i) {
    curvature[i] = 0.1 + random.uniform();
    deviation[i] = 1 + 2 * random.uniform();
    w[i] = random.normal();
    squared += std::pow(curvature[i] * w[i], 2);
    variance += std::pow(curvature[i] * deviation[i], 2);
  }
  Job job;
  job.batch = 37;  // three ranks of 12, 12, 13 images, in two micro-batches each
  job.ranks = 3;
  job.accumulate = 2;
  NoiseScale scale;
  for (int iteration = 0; iteration < 2000; ++iteration) {
    std::array<double, kDimensions> mean{};
    double parts = 0;
    for (const std::int32_t images : {6, 6, 6, 6, 6, 7}) {
      std::array<double, kDimensions> mine{};
      for (std::int32_t image = 0; image < images; ++image)
        for (std::size_t i = 0; i < kDimensions; ++i)
          mine[i] += curvature[i] * (w[i] - deviation[i] * random.normal());
      for (std::size_t i = 0; i < kDimensions; ++i) {
        parts += std::pow(mine[i] / images, 2);
        mean[i] += mine[i] / job.batch;
      }
    }
    double whole = 0;
    for (const double value : mean)
      whole += value * value;
    scale.add(gradient_norms(job, parts, whole));
  }
  CHECK(scale.images().value() == Approx(variance / squared).epsilon(0.1));
}
