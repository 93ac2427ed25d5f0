// SPDX-License-Identifier: Apache-2.0
#include "models/training/noise_scale.h"

#include "models/base/errors.h"

namespace lockstep::training {

GradientNorms gradient_norms(const Job& job, double parts_squared, double whole_squared) {
  double reciprocals = 0;
  for (Rank rank = 0; rank < job.ranks; ++rank) {
    const std::int32_t share =
        first_of_share(job.batch, job.ranks, rank + 1) - first_of_share(job.batch, job.ranks, rank);
    for (std::int32_t part = 0; part < job.accumulate; ++part)
      reciprocals += 1.0 / (network::first_of_part(share, job.accumulate, part + 1) -
                            network::first_of_part(share, job.accumulate, part));
  }
  const double parts = static_cast<double>(job.ranks) * job.accumulate;
  return {.part_squared = parts_squared / parts,
          .part_images = parts / reciprocals,
          .whole_squared = whole_squared,
          .whole_images = static_cast<double>(job.batch)};
}

// A mean over b images has |G|² + variance / b as the expected square of its norm: two of them for
// two unknowns. It is linear in 1 / b, hence the harmonic mean.
NoiseEstimate estimate_noise(const GradientNorms& norms) {
  const double small = norms.part_images, big = norms.whole_images;
  LOCKSTEP_CHECK(small < big, "one part says nothing about noise");
  return {
      .gradient_squared = (big * norms.whole_squared - small * norms.part_squared) / (big - small),
      .variance = (norms.part_squared - norms.whole_squared) / (1 / small - 1 / big)};
}

void NoiseScale::add(const GradientNorms& norms) {
  const NoiseEstimate now = estimate_noise(norms);
  const double weight = is_empty_ ? 1 : kWeight;
  smoothed_.gradient_squared += weight * (now.gradient_squared - smoothed_.gradient_squared);
  smoothed_.variance += weight * (now.variance - smoothed_.variance);
  is_empty_ = false;
}

std::optional<double> NoiseScale::images() const {
  if (!(smoothed_.gradient_squared > 0)) return std::nullopt;
  return smoothed_.variance / smoothed_.gradient_squared;
}

}  // namespace lockstep::training
