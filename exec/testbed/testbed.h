// SPDX-License-Identifier: Apache-2.0
// A topology made real on this machine: a network namespace for each host and switch, a pair of
// virtual Ethernet devices with a token bucket for each link, a quota for each host.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "exec/testbed/namespace.h"
#include "exec/testbed/quota.h"
#include "models/base/ids.h"
#include "models/topology/topology.h"

namespace lockstep::exec {

/// All of it ends with this object, or with this process, however that ends.
class Testbed {
 public:
  /// `topology`: from scale(); must outlive it. Throws ConfigError for what this machine can't do.
  Testbed(const topology::Topology& topology, bool has_quotas);

  const topology::Topology& topology() const { return topology_; }

  /// For a process between fork and exec: makes it one of the host's, by network, processors and
  /// name. Returns whether that worked.
  bool enter(HostId host) const;
  /// A socket at an address of the node, IPv4 in host byte order, that listens at a free port; or
  /// that is connected from there to another one. The caller closes it. Throws ConfigError.
  int listen(std::int32_t node, std::uint32_t address) const;
  int connect(std::int32_t node, std::uint32_t address, int listener) const;
  /// What has gone into the link so far, headers included.
  std::uint64_t bytes_sent(LinkId link) const;

 private:
  const topology::Topology& topology_;
  Namespace home_;
  std::vector<Namespace> nodes_;
  std::optional<HostQuotas> quotas_;
};

/// IPv4, in host byte order: where a host is reached over the routes of the topology; and the two
/// ends of a link, where only the other end reaches it, over this link (and back at no rate).
std::uint32_t address_of(HostId host);
struct LinkEnds {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
};
LinkEnds addresses_of(LinkId link);

}  // namespace lockstep::exec
