// SPDX-License-Identifier: Apache-2.0
// Token buckets: what a link lets pass at line rate after it has idled.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "models/base/ids.h"
#include "models/topology/routes.h"
#include "sim/network/fluid.h"

namespace lockstep::sim {

/// Each link with burst_bytes has a bucket of that depth, full at first. It fills at the link's
/// payload rate less what flows take of it. A flow that enters takes what is in it and passes that
/// much unhindered by the link; until that is paid for, others find it empty.
class Bursts {
 public:
  /// All must outlive the Bursts. `resource_of` a link is its number in the Fluid.
  Bursts(const topology::Topology& topology, Fluid& fluid,
         std::function<std::uint32_t(LinkId)> resource_of);

  /// A flow of `bytes` enters the route, at `rate` where these links hinder nobody (kUnlimited is
  /// allowed). Returns how many of its bytes pass without sharing the route's links that have a
  /// bucket; 0 when it has none, or they are empty, or are no hindrance at that rate.
  double enter(std::span<const topology::Hop> route, double bytes, double rate, Time now);

 private:
  struct Bucket {
    double tokens = 0;  // at `since`; below 0: owed
    double used = 0;    // of the link, until then
    Time since;
    bool metered = false;
  };
  Bucket& filled(LinkId link, Time now);

  const topology::Topology& topology_;
  Fluid& fluid_;
  std::function<std::uint32_t(LinkId)> resource_of_;
  std::vector<Bucket> buckets_;  // of each link
};

}  // namespace lockstep::sim
