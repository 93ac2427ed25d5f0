// SPDX-License-Identifier: Apache-2.0
// The two-dimensional torus all-reduce.
#pragma once

#include "models/collectives/algorithm.h"

namespace lockstep::collectives {

/// The ranks are laid out in Y rows of X, as square as their number allows (X ≥ Y): rank r is in
/// row r / X. A reduce-scatter round the ring of each row, an all-reduce round that of each column
/// for the part that the row has left, and an all-gather round each row (Ying et al., "Image
/// classification at supercomputer scale", 2018, section 3.3; two_level.h). A prime number of ranks
/// is one ring.
///
/// Time 2(X−1)(α + n/X·β) + 2(Y−1)(α + n/(XY)·β); bytes sent per rank 2(p−1)/p·n, the least
/// possible. Its 2(X+Y−2) latencies are about 4√p where a ring has 2p, and each rank has four
/// neighbours only: it wins on a torus of cables, and among many ranks at middle sizes.
std::shared_ptr<const schedule::StepSource> make_torus(const Operation& operation);

/// 2(X−1) messages of the largest part of a row, 2(Y−1) of the largest chunk of it.
Time torus_closed_form(const Operation& operation, const IdealNetwork& network);

}  // namespace lockstep::collectives
