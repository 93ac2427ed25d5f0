// SPDX-License-Identifier: Apache-2.0
// A schedule of ours as an MSCCL program.
#pragma once

#include "models/collectives/algorithm.h"
#include "models/msccl/program.h"
#include "models/schedule/schedule.h"
#include "models/schedule/verify.h"

namespace lockstep::msccl {

/// The program, in place, that does what a proven schedule of one fragment does (a collective, not
/// a training iteration). The contract's slice is the data, other buffers are scratch. All of them
/// are cut into chunks of one size, the largest that all slices are multiples of; so a schedule
/// that cuts unevenly takes very many.
///
/// Each (peer, direction, stream) is a thread block, and all that is local is one more. A step
/// waits for those of other blocks that it must come after because both touch the same chunks:
/// nothing else in a schedule's order matters. MSCCL allows a thread block few peers on a channel;
/// hence streams are spread over more channels, by the distance between the ranks.
///
/// Throws ConfigError when MSCCL has no room for it, or no word: a maximum, a computation.
Program make_program(const schedule::Schedule& schedule, const schedule::Contract& contract);

/// The program of an algorithm, for a number of elements that it cuts evenly; so it takes as few
/// chunks as it can. Of `operation.data` only the count is looked at, and only if messages are
/// limited: a chunk becomes as many messages as there. Where the buffers are is decided here.
Program make_program(collectives::Algorithm algorithm, const collectives::Operation& operation);

}  // namespace lockstep::msccl
