// SPDX-License-Identifier: Apache-2.0
#include "models/results/percentile.h"

#include <algorithm>
#include <cmath>

#include "models/base/errors.h"

namespace lockstep::results {

double percentile(std::vector<double> samples, double p) {
  LOCKSTEP_CHECK(!samples.empty(), "a percentile of nothing");
  std::sort(samples.begin(), samples.end());
  const double position = p * static_cast<double>(samples.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, samples.size() - 1);
  return std::lerp(samples[below], samples[above], position - std::floor(position));
}

}  // namespace lockstep::results
