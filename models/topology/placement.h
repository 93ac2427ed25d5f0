// SPDX-License-Identifier: Apache-2.0
// Which host each rank is placed on, and which of its host's sockets it is pinned to.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/base/ids.h"
#include "models/topology/topology.h"

namespace lockstep::topology {

enum class PlacementKind : std::uint8_t { Packed, Scattered, Listed };

struct Placement {
  PlacementKind kind = PlacementKind::Packed;
  std::vector<std::string> hosts;  // Listed: the name of each rank's host

  friend bool operator==(const Placement&, const Placement&) = default;
};

/// rank → host. Packed: ranks 0 … k−1 on host 0, and so on, k = ⌈ranks / hosts⌉ as evenly as it
/// goes; scattered: rank r on host r mod hosts. Throws ConfigError when a listed placement does not
/// name a host of the topology for each rank; `where` says where it was given.
std::vector<HostId> place(const Topology& topology, std::int32_t ranks, const Placement& placement,
                          const std::string& where);

/// Which ranks form a group: those of a host; those of a rack, the hosts whose first cable leads to
/// the same switch; or so many consecutive ones.
struct GroupBy {
  enum class Kind : std::uint8_t { Host, Rack, Consecutive };
  Kind kind = Kind::Host;
  std::int32_t ranks = 0;  // Consecutive: of a group, at least 1; the last one may have fewer

  friend bool operator==(const GroupBy&, const GroupBy&) = default;
};

/// rank → group, numbered from 0 in the order of their first ranks.
std::vector<std::int32_t> group_ranks(const Topology& topology,
                                      std::span<const HostId> host_of_rank, const GroupBy& by);

/// The share of a rank's cores on each socket of its host. The host's cores are cut into one block
/// for each of its ranks, in their order, and this is the rank's: with as many ranks as sockets,
/// each has one; a rank alone has all.
std::vector<double> socket_shares(std::int32_t rank_on_host, std::int32_t ranks_on_host,
                                  std::int32_t sockets);

/// Reads a listed placement: a JSON list of host names. Throws ConfigError.
Placement load_placement(const std::string& path);

/// "packed", "scattered", "listed".
std::string name_of(PlacementKind kind);

}  // namespace lockstep::topology
