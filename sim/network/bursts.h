// SPDX-License-Identifier: Apache-2.0
// Token buckets: what a link lets pass at line rate after it has idled.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/base/ids.h"
#include "models/topology/routes.h"

namespace lockstep::sim {

/// Each link with burst_bytes has a bucket of that depth, full at first. While no flow is on the
/// link the bucket fills at the link's payload rate. The first flows afterwards take what is in it
/// and pass that much unhindered by the link. While flows are on the link nothing is added.
class Bursts {
 public:
  /// The topology must outlive the Bursts.
  explicit Bursts(const topology::Topology& topology);

  /// A flow of `bytes` enters the route, at `rate` where these links hinder nobody (kUnlimited is
  /// allowed). Returns how many of its bytes pass without sharing the route's links that have a
  /// bucket; 0 when it has none, or they are empty, or are no hindrance at that rate.
  double enter(std::span<const topology::Hop> route, double bytes, double rate, Time now);
  void leave(std::span<const topology::Hop> route, Time now);

 private:
  struct Bucket {
    double tokens = 0;
    std::uint32_t flows = 0;
    Time idle_since;
  };
  const topology::Topology& topology_;
  std::vector<Bucket> buckets_;  // of each link
};

}  // namespace lockstep::sim
