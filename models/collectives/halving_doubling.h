// SPDX-License-Identifier: Apache-2.0
// Halving-doubling: all-reduce, reduce-scatter, all-gather.
#pragma once

#include "models/collectives/algorithm.h"

namespace lockstep::collectives {

/// A reduce-scatter by recursive halving, then an all-gather by recursive doubling: as few
/// latencies as there can be with as few bytes as there can be.
///
/// When p is a power of two, in every round of the reduce-scatter pairs of ranks cut what they have
/// left into halves, each sends one to the other and adds the other one (Rabenseifner; Thakur,
/// Rabenseifner, Gropp 2005): an exchange (exchange.h) with all radices 2.
///
/// For other p pairs do not come out even, and folding ranks in as recursive doubling does would
/// cost up to 2n more bytes. Instead everyone sends to one rank and receives from another (Träff,
/// "Optimal, non-pipelined reduce-scatter and allreduce algorithms", 2024). Rank r counts its
/// blocks from its own chunk on: block i is chunk r + i mod p. While s blocks are left, it keeps
/// the first h = ⌈s/2⌉: it sends blocks h … s−1 to rank r + h, whose blocks 0 … s−h−1 they are, and
/// adds what rank r − h sends to its own blocks 0 … s−h−1. The all-gather goes back the same way.
/// Blocks that run over the end of the data are two messages.
///
/// Time 2⌈lg p⌉α + 2(p−1)/p·n·β; bytes sent per rank 2(p−1)/p·n, the least possible. It wins for
/// middle sizes, and for large ones where no link is shared; far partners cross the core of a tree
/// with much data, where a ring sends it to neighbours only.
std::shared_ptr<const schedule::StepSource> make_halving_doubling(const Operation& operation);

/// For powers of two Σ over the rounds of α + n/2ᵏ·β, as for every exchange. For others the sum of
/// α + (s−h)/p·n·β; but when s is 3 it is in no need of the round before, which goes on beside it.
/// With chunks of different sizes it is that of the largest: too much by an element per chunk at
/// most.
Time halving_doubling_closed_form(const Operation& operation, const IdealNetwork& network);

}  // namespace lockstep::collectives
