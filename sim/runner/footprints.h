// SPDX-License-Identifier: Apache-2.0
// How long ago memory was last touched: what decides whether a cache still holds it.
#pragma once

#include <span>
#include <vector>

#include "models/base/ids.h"
#include "models/schedule/schedule.h"

namespace lockstep::sim {

/// Takes no memory before the first touch. Time is counted for each host, in the bytes that all of
/// its ranks have touched.
class Footprints {
 public:
  /// `host_of_rank` must outlive it.
  Footprints(const schedule::Schedule& schedule, std::span<const HostId> host_of_rank);

  /// Returns how many bytes the rank's host has touched since the slice was last touched, on
  /// average over its elements (everything was touched at time zero), and touches it.
  double touch(Rank rank, const schedule::Slice& slice);

 private:
  const schedule::Schedule& schedule_;
  std::span<const HostId> host_of_rank_;
  std::vector<double> clocks_;                                // of each host
  std::vector<std::vector<std::vector<double>>> touched_at_;  // of each rank, buffer, block
};

}  // namespace lockstep::sim
