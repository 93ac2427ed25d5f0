// SPDX-License-Identifier: Apache-2.0
#include "sim/network/bursts.h"

#include <algorithm>

#include "sim/network/max_min.h"

namespace lockstep::sim {

Bursts::Bursts(const topology::Topology& topology)
    : topology_(topology), buckets_(topology.links.size()) {
  for (std::size_t link = 0; link < buckets_.size(); ++link)
    buckets_[link].tokens = static_cast<double>(topology.links[link].burst_bytes);
}

double Bursts::enter(std::span<const topology::Hop> route, double bytes, double rate, Time now) {
  double passing = kUnlimited;
  for (const auto& [id, share] : route) {
    const topology::Link& link = topology_.links[static_cast<std::size_t>(id)];
    if (link.burst_bytes == 0) continue;
    const double refill = link.payload_bytes_per_second();
    Bucket& bucket = buckets_[static_cast<std::size_t>(id)];
    if (bucket.flows++ == 0)
      bucket.tokens = std::min(static_cast<double>(link.burst_bytes),
                               bucket.tokens + refill * (now - bucket.idle_since).seconds());
    // While the bucket empties at share · rate it is refilled as well: it lasts for tokens / (1 −
    // refill / (share · rate)) bytes of the link, and of the flow accordingly more.
    if (share * rate > refill)
      passing = std::min(passing, bucket.tokens / (1 - refill / (share * rate)) / share);
  }
  if (passing == kUnlimited) return 0;
  passing = std::min(passing, bytes);
  for (const auto& [id, share] : route) {
    const topology::Link& link = topology_.links[static_cast<std::size_t>(id)];
    const double refill = link.payload_bytes_per_second();
    if (link.burst_bytes == 0 || share * rate <= refill) continue;
    double& tokens = buckets_[static_cast<std::size_t>(id)].tokens;
    tokens = std::max(0.0, tokens - share * passing * (1 - refill / (share * rate)));
  }
  return passing;
}

void Bursts::leave(std::span<const topology::Hop> route, Time now) {
  for (const topology::Hop& hop : route) {
    const auto id = static_cast<std::size_t>(hop.link);
    Bucket& bucket = buckets_[id];
    if (topology_.links[id].burst_bytes > 0 && --bucket.flows == 0) bucket.idle_since = now;
  }
}

}  // namespace lockstep::sim
