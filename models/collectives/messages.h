// SPDX-License-Identifier: Apache-2.0
// The two steps that algorithms are made of.
#pragma once

#include "models/schedule/schedule.h"

namespace lockstep::collectives {

inline schedule::Step send_to(Rank peer, const schedule::Slice& from, std::uint8_t stream) {
  return {.verb = schedule::Verb::Send, .stream = stream, .target = peer, .from = from};
}

inline schedule::Step receive_from(Rank peer, const schedule::Slice& into,
                                   schedule::Operator combine, std::uint8_t stream) {
  return {.verb = schedule::Verb::Recv,
          .combine = combine,
          .stream = stream,
          .target = peer,
          .into = into};
}

}  // namespace lockstep::collectives
