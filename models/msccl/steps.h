// SPDX-License-Identifier: Apache-2.0
// A program as a schedule of ours, for any number of elements.
#pragma once

#include <cstdint>
#include <memory>

#include "models/msccl/program.h"
#include "models/schedule/schedule.h"
#include "models/schedule/verify.h"

namespace lockstep::msccl {

/// Elements of scratch that the program needs on `count` elements of data.
std::uint64_t scratch_elements(const Program& program, std::uint64_t count);

/// The program's steps, for all ranks: on `data`, in place, with scratch_elements() of `scratch`;
/// channel c becomes stream `stream` + c. The data are cut into program.chunks pieces, as even as
/// it goes (a rank's share, where there are shares, into chunks_of_share()).
///
/// What MSCCL's order guarantees (the steps of a thread block one after the other, and what they
/// say to wait for) becomes a dependency where two steps touch the same elements; nothing else is
/// ordered, so that a send does not hold up the receive after it. Steps that MSCCL leaves unordered
/// stay so, and verify() finds the race; steps that wait for one another in a circle keep all of
/// their order, and verify() finds the deadlock.
///
/// A fused step becomes several: a receive, and what it does with the data. `rrs` adds in scratch
/// of its own. A program whose output lies apart from its input gets a copy of the input first.
/// Where a step must wait for more than three others, a Combine of no elements gathers them.
///
/// Throws ConfigError with the line when `data.count` is not a multiple of the chunks and a chunk
/// is put where only a smaller one has room.
std::shared_ptr<const schedule::StepSource> make_steps(const Program& program,
                                                       const schedule::Slice& data,
                                                       const schedule::Slice& scratch,
                                                       std::uint8_t stream);

/// A schedule of the program and nothing else: buffers "data", of `count` elements, and "scratch".
schedule::Schedule make_schedule(const Program& program, std::uint64_t count);
/// What verify() has to prove of it.
schedule::Contract contract_of(const Program& program, std::uint64_t count);

}  // namespace lockstep::msccl
