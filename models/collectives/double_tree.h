// SPDX-License-Identifier: Apache-2.0
// The double binary tree: all-reduce, broadcast.
#pragma once

#include "models/collectives/algorithm.h"

namespace lockstep::collectives {

/// In one binary tree the inner nodes send and receive twice the data while the leaves do little.
/// So there are two trees, each for half of the data, and who is an inner node in one is a leaf in
/// the other (Sanders, Speck, Träff 2009): all ranks send and receive 2n bytes at most. In each
/// tree a half is reduced to rank 0 and broadcast from there, segment by segment, so that once the
/// trees are full everyone is busy all the time.
///
/// The first tree is the one in which an inorder walk meets positions 1, 2, …, p−1: odd ones are
/// leaves, even ones are not. In the second, positions are mirrored or, if p−1 is odd, shifted by
/// one, which makes odd ones of even ones. Rank 0 is above both roots. A broadcast counts ranks
/// from its root. Neighbours are often each other's parent, one in either tree; so that what goes
/// up does not queue behind what goes down, each tree has a stream.
///
/// Time, with m segments of each half, about 2(⌈lg p⌉ + m)(α + n/m·β): latencies as few as those of
/// any algorithm, bytes 2n. It wins over the ring where ranks are many.
std::shared_ptr<const schedule::StepSource> make_double_tree(const Operation& operation);

/// ⌈lg p⌉ messages of the larger half up (position 1 is as deep as that), as many down.
Time double_tree_closed_form(const Operation& operation, const IdealNetwork& network);

}  // namespace lockstep::collectives
