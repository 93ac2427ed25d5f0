// SPDX-License-Identifier: Apache-2.0
#include "sim/network/bursts.h"

#include <algorithm>
#include <utility>

#include "sim/network/max_min.h"

namespace lockstep::sim {

Bursts::Bursts(const topology::Topology& topology, Fluid& fluid,
               std::function<std::uint32_t(LinkId)> resource_of)
    : topology_(topology),
      fluid_(fluid),
      resource_of_(std::move(resource_of)),
      buckets_(topology.links.size()) {
  for (std::size_t link = 0; link < buckets_.size(); ++link)
    buckets_[link].tokens = static_cast<double>(topology.links[link].burst_bytes);
}

/// The link's bucket as it is now.
Bursts::Bucket& Bursts::filled(LinkId id, Time now) {
  const topology::Link& link = topology_.links[static_cast<std::size_t>(id)];
  Bucket& bucket = buckets_[static_cast<std::size_t>(id)];
  const std::uint32_t resource = resource_of_(id);
  if (!std::exchange(bucket.metered, true)) {
    fluid_.meter(resource);
    bucket.used = fluid_.used(resource);
  }
  const double used = fluid_.used(resource);
  bucket.tokens +=
      link.payload_bytes_per_second() * (now - bucket.since).seconds() - (used - bucket.used);
  bucket.tokens = std::min(bucket.tokens, static_cast<double>(link.burst_bytes));
  bucket.used = used;
  bucket.since = now;
  return bucket;
}

double Bursts::enter(std::span<const topology::Hop> route, double bytes, double rate, Time now) {
  double passing = kUnlimited;
  for (const auto& [id, share] : route) {
    const topology::Link& link = topology_.links[static_cast<std::size_t>(id)];
    if (link.burst_bytes == 0) continue;
    const double refill = link.payload_bytes_per_second();
    // While the bucket empties at share · rate it is refilled as well: it lasts for tokens / (1 −
    // refill / (share · rate)) bytes of the link, and of the flow accordingly more.
    if (share * rate > refill)
      passing = std::min(
          passing, std::max(0.0, filled(id, now).tokens) / (1 - refill / (share * rate)) / share);
  }
  if (passing == kUnlimited) return 0;
  passing = std::min(passing, bytes);
  for (const auto& [id, share] : route) {
    const topology::Link& link = topology_.links[static_cast<std::size_t>(id)];
    if (link.burst_bytes > 0 && share * rate > link.payload_bytes_per_second())
      buckets_[static_cast<std::size_t>(id)].tokens -= share * passing;
  }
  return passing;
}

}  // namespace lockstep::sim
