// SPDX-License-Identifier: Apache-2.0
#include "models/cost/fit.h"

#include <algorithm>
#include <cmath>

#include "models/base/errors.h"

namespace lockstep::cost {

namespace {

double relative_residual(const Line& line, std::span<const Sample> samples) {
  double sum = 0;
  for (const Sample& sample : samples) {
    const double fitted = line.fixed + line.per_unit * sample.units;
    const double error = fitted > 0 ? sample.seconds / fitted - 1 : 1;
    sum += error * error;
  }
  return std::sqrt(sum / static_cast<double>(samples.size()));
}

}  // namespace

// Minimises Σ ((a + b·u − t)/t)²: ordinary least squares of the rows (1/t, u/t) against 1. When a
// coefficient comes out negative it is set to zero and the other one fitted alone.
Line fit_line(std::span<const Sample> samples) {
  LOCKSTEP_CHECK(!samples.empty(), "a line is fitted to no samples");
  double aa = 0, ab = 0, bb = 0, a1 = 0, b1 = 0;
  for (const Sample& sample : samples) {
    LOCKSTEP_CHECK(sample.seconds > 0, "a sample took no time");
    const double x = 1 / sample.seconds;
    const double y = sample.units / sample.seconds;
    aa += x * x;
    ab += x * y;
    bb += y * y;
    a1 += x;
    b1 += y;
  }
  Line line;
  const double determinant = aa * bb - ab * ab;
  if (samples.size() > 1 && determinant > 1e-12 * aa * bb) {
    line.fixed = (a1 * bb - b1 * ab) / determinant;
    line.per_unit = (b1 * aa - a1 * ab) / determinant;
  } else if (bb > 0) {
    line.per_unit = b1 / bb;
  } else {
    line.fixed = a1 / aa;
  }
  if (line.fixed < 0) line = {.fixed = 0, .per_unit = b1 / bb};
  if (line.per_unit < 0) line = {.fixed = a1 / aa, .per_unit = 0};
  line.relative_residual = relative_residual(line, samples);
  return line;
}

double interpolation_residual(std::span<const Sample> samples) {
  double sum = 0;
  double seconds = 0;
  for (std::size_t i = 1; i + 1 < samples.size(); ++i) {
    const Sample& before = samples[i - 1];
    const Sample& after = samples[i + 1];
    const double share = (samples[i].units - before.units) / (after.units - before.units);
    const double between = before.seconds + share * (after.seconds - before.seconds);
    const double error = samples[i].seconds / between - 1;
    sum += samples[i].seconds * error * error;
    seconds += samples[i].seconds;
  }
  return samples.size() > 2 ? std::sqrt(sum / seconds) : kUnknownResidual;
}

double median(std::vector<double> values) {
  LOCKSTEP_CHECK(!values.empty(), "the median of nothing");
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

double memory_traffic(double alone, double beside, double neighbour, double capacity) {
  const double level = std::min(1.0, alone / beside);
  return std::clamp(capacity / level - neighbour, 0.0, neighbour);
}

}  // namespace lockstep::cost
