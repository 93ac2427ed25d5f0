// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/errors.h"

#include <utility>

namespace lockstep::exec {

PeerError::PeerError(Rank rank_, Rank peer_, std::string phase_, std::string cause_)
    : std::runtime_error(phase_.empty() ? cause_ : cause_ + "; " + phase_),
      rank(rank_),
      peer(peer_),
      phase(std::move(phase_)),
      cause(std::move(cause_)) {}

}  // namespace lockstep::exec
