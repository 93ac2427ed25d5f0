// SPDX-License-Identifier: Apache-2.0
// The recursive-doubling all-reduce.
#pragma once

#include "models/collectives/algorithm.h"

namespace lockstep::collectives {

/// In round k every rank exchanges all it has with the rank whose number differs in bit k, and both
/// add (Thakur, Rabenseifner, Gropp 2005). When p is not a power of two, the first 2r ranks,
/// r = p − 2^⌊lg p⌋, are folded first: the even ones hand their data to the odd ones, sit out, and
/// get the result at the end.
///
/// What arrives is held in scratch until the own data have left: both partners send first.
/// Addition commutes, so partners compute the same bits.
///
/// Time lg p·(α + n·β) for powers of two P. Otherwise the books say ⌊lg p⌋ + 2 rounds; but ranks
/// that are not folded need not wait for the fold, so that the longest chain has ⌊lg p⌋ + 1 while r
/// ≤ P/2. The fewest latencies of all, so it wins for small messages; it sends n·lg p bytes, so it
/// loses for large ones.
std::shared_ptr<const schedule::StepSource> make_recursive_doubling(const Operation& operation);

Time recursive_doubling_closed_form(const Operation& operation, const IdealNetwork& network);

}  // namespace lockstep::collectives
