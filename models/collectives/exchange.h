// SPDX-License-Identifier: Apache-2.0
// Direct exchange in stages: what halving-doubling and bcube are made of.
#pragma once

#include <vector>

#include "models/collectives/algorithm.h"

namespace lockstep::collectives {

/// The ranks are numbered with one digit for each stage, of the stage's radix; the radices multiply
/// to the number of ranks. In stage k of the reduce-scatter the ranks that differ in digit k only
/// cut what all of them have left into a part for each: everyone sends each other one its part and
/// adds what arrives to the own. Then every rank holds one chunk complete. The all-gather goes
/// through the stages backwards: everyone sends all it has to each of the others.
///
/// The first stage moves most. In an all-reduce it joins neighbouring ranks, which are likely to
/// share a host; in a reduce-scatter, where rank r is to end with chunk r, distant ones.
///
/// Nothing needs scratch: what arrives in a stage is for another part than what leaves. In each
/// stage the i-th message goes i digits further and the i-th to arrive comes from i digits before,
/// so that nobody is sent to by all at once; contributions are added in that order, which makes
/// sums the same every time.
std::shared_ptr<const schedule::StepSource> make_exchange(const Operation& operation,
                                                          const std::vector<std::int32_t>& radices);

/// Σ over the stages of α + n/(r₁ r₂ … rₖ)·β, and twice that for an all-reduce: rank 0 gets the
/// largest part in every stage.
Time exchange_closed_form(const Operation& operation, const std::vector<std::int32_t>& radices,
                          const IdealNetwork& network);

}  // namespace lockstep::collectives
