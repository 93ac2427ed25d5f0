// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace lockstep::results {

/// The value below which the share `p` of the samples lies, linearly between neighbours: of n
/// sorted samples x₀ … xₙ₋₁ it is x at position p·(n − 1) (type 7 of Hyndman and Fan 1996, what
/// NumPy does). At least one sample.
double percentile(std::vector<double> samples, double p);

}  // namespace lockstep::results
