// SPDX-License-Identifier: Apache-2.0
// Fitting the parameters of the cost model to calibration samples. Pure arithmetic.
#pragma once

#include <span>
#include <vector>

#include "models/cost/machine.h"

namespace lockstep::cost {

/// The line with the least sum of squared *relative* errors, neither coefficient negative.
/// Needs at least one sample with units > 0; one sample alone gives a line through the origin.
Line fit_line(std::span<const Sample> samples);

/// What interpolation_residual() says when it cannot know.
inline constexpr double kUnknownResidual = 0.1;
/// Root mean square of (sample ÷ the straight line between its neighbours − 1) over the inner
/// samples, weighted by their seconds, since an iteration feels an error in proportion: how far
/// interpolating may be off. kUnknownResidual with fewer than three.
double interpolation_residual(std::span<const Sample> samples);

/// The median; `values` must not be empty.
double median(std::vector<double> values);

/// The memory traffic, in bytes per second while it runs, of a computation that took `alone` s by
/// itself and `beside` s beside a neighbour that moves `neighbour` bytes/s when alone, on a host
/// that can move `capacity` bytes/s: what makes max-min sharing come out at `beside`.
/// One core cannot ask for more than the neighbour, which does nothing else.
/// Both run at one level λ ≤ 1 of their own speed: (m + neighbour)·λ = capacity, beside = alone/λ.
double memory_traffic(double alone, double beside, double neighbour, double capacity);

}  // namespace lockstep::cost
