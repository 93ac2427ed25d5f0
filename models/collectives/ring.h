// SPDX-License-Identifier: Apache-2.0
// The ring: all-reduce, reduce-scatter, all-gather.
#pragma once

#include "models/collectives/algorithm.h"

namespace lockstep::collectives {

/// Reduce-scatter, then all-gather, around a ring (Patarasuk and Yuan 2009). The data are cut into
/// one chunk per rank. In each of the p−1 rounds of the reduce-scatter a rank sends one chunk to
/// its successor and adds the chunk that comes from its predecessor to its own; then every rank
/// holds its own chunk complete. In the p−1 rounds of the all-gather the complete chunks go round.
/// A chunk travels in segments, so that one is sent on while the next still arrives.
///
/// Time 2(p−1)(α + n/p·β); bytes sent per rank 2(p−1)/p·n, the least possible. Every link of a tree
/// carries each chunk once in each direction, so it wins where bandwidth rules; its 2(p−1)
/// latencies lose where messages are small or ranks are many.
std::shared_ptr<const schedule::StepSource> make_ring(const Operation& operation);

/// 2(p−1) rounds of the largest chunk, ⌈count / p⌉ elements: chunks do not wait for one another,
/// and chunk 0 is one of the largest. Half of it for a reduce-scatter or all-gather.
Time ring_closed_form(const Operation& operation, const IdealNetwork& network);

}  // namespace lockstep::collectives
