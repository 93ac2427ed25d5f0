// SPDX-License-Identifier: Apache-2.0
// The synchronous parameter-server all-reduce.
#pragma once

#include "models/collectives/algorithm.h"

namespace lockstep::collectives {

/// The data are cut into one shard for each of S servers, ranks 0 … S−1, which train like the
/// others. Everyone sends each server its shard; the server adds what arrives to its own and sends
/// the sum to all (Li et al., "Scaling distributed machine learning with the parameter server",
/// 2014, here with a barrier). Segment by segment: the sums of one are handed out before those of
/// the next are needed, while they are in the cache.
///
/// Rank r goes through the ranks r+1, r+2, … so that not all send to one; server s adds the
/// contributions in the order s−1, s−2, …, in which they may be expected: sums are the same every
/// time.
///
/// Time 2(α + p·n/S·β) where the servers' ports are what limits it; bytes sent per rank n by a
/// worker alone, (p+S−2)/S·n by a server. With S = p it is the direct algorithm: 2(p−1)/p·n bytes,
/// the least possible, and two latencies, but 2p(p−1) messages at one time. It wins where messages
/// are nearly free and ports are not the limit: through shared memory, every element being added
/// up in one place in one go. Few servers lose to all else; that is worth seeing.
std::shared_ptr<const schedule::StepSource> make_parameter_server(const Operation& operation);

/// Two messages of the largest shard, among as many ranks as talk to one another at one time, 17.
Time parameter_server_closed_form(const Operation& operation, const IdealNetwork& network);

}  // namespace lockstep::collectives
