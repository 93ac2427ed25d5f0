// SPDX-License-Identifier: Apache-2.0
// The binomial tree: all-reduce, broadcast.
#pragma once

#include "models/collectives/algorithm.h"

namespace lockstep::collectives {

/// A reduction to rank 0 up a binomial tree, then a broadcast down the same tree. Counted from the
/// root, the parent of rank v is v without its lowest bit; so in round k of the reduction those
/// ranks hand over what they have whose lowest bit is k. Segments follow one another: while one
/// goes down the next ones still come up.
///
/// Time 2⌈lg p⌉(α + n·β) when a rank sends one message at a time; where nothing is contended 2⌊lg
/// p⌋(α + n·β), the longest way being that to the rank with the most bits. The root sends and
/// receives n·lg p bytes, so it loses for large data; as an all-reduce recursive doubling beats it
/// for small data too, but needs p·lg p messages where the tree needs 2(p−1). As a broadcast it has
/// the fewest latencies.
std::shared_ptr<const schedule::StepSource> make_binomial_tree(const Operation& operation);

/// ⌊lg p⌋ messages of all elements, one after the other; twice that for an all-reduce.
Time binomial_tree_closed_form(const Operation& operation, const IdealNetwork& network);

}  // namespace lockstep::collectives
