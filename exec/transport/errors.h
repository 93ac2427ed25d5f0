// SPDX-License-Identifier: Apache-2.0
// The network failed: a peer is gone, frozen, or doesn't say what it should.
#pragma once

#include <stdexcept>
#include <string>

#include "models/base/ids.h"

namespace lockstep::exec {

/// Ends a rank with exit status 3. The text is "cause; phase":
/// `lost rank 2 (host a, pid 4711): no heartbeat for 5 s; iteration 17, bucket 3`.
class PeerError : public std::runtime_error {
 public:
  /// `peer` is whose fault it is, −1 if that can't be told; `phase` may be empty.
  PeerError(Rank rank, Rank peer, std::string phase, std::string cause);

  Rank rank;
  Rank peer;
  std::string phase;
  std::string cause;
};

}  // namespace lockstep::exec
