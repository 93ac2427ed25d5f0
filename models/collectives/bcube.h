// SPDX-License-Identifier: Apache-2.0
// Bcube: all-reduce, reduce-scatter, all-gather.
#pragma once

#include "models/collectives/algorithm.h"

namespace lockstep::collectives {

/// An exchange (exchange.h) whose stages are named after the BCube network (Guo et al. 2009), where
/// each of them has a switch of its own. The radices are the prime factors of the ranks, largest
/// first, two factors 2 taken together as 4: two more messages, one latency less.
///
/// Time 2 Σ α + n/(r₁ … rₖ)·β over the stages, a port shared by the rₖ−1 messages of a stage; bytes
/// sent per rank 2(p−1)/p·n, the least possible. Between halving-doubling and sending everything
/// to everyone directly: it wins where latency counts but bytes do too, and ranks have small
/// factors; a prime number of ranks is one stage.
std::shared_ptr<const schedule::StepSource> make_bcube(const Operation& operation);

Time bcube_closed_form(const Operation& operation, const IdealNetwork& network);

}  // namespace lockstep::collectives
