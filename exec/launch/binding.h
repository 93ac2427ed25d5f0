// SPDX-License-Identifier: Apache-2.0
// Which processors a rank runs on, when several ranks share a host.
#pragma once

#include <cstdint>

#include "exec/launch/session.h"

namespace lockstep::exec {

/// Binds this process, with the threads it has and will have, to its share of the processors that
/// it may use: those are cut into one block for each rank on this host, in the order of ranks; when
/// there are more ranks than processors, neighbouring ranks share one. Does nothing for a rank that
/// is alone, or whose threads are more than its block while whole blocks there are. Returns whether
/// it is bound.
///
/// Left alone, the kernel puts the communication threads of several ranks beside the computing
/// thread of one of them; that rank loses what all of them need, and the others wait for it.
bool bind_to_share(const Session& session, std::int32_t threads);

/// Binds this process to one of the processors that it may use, the `number`-th modulo how many
/// there are.
void bind_to_processor(std::size_t number);
/// The same of the calling thread only.
void bind_thread_to_processor(std::size_t number);

}  // namespace lockstep::exec
