// SPDX-License-Identifier: Apache-2.0
// Laying a network onto itself: which hosts, switches and links take the places of which others
// when hosts change places.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "models/base/ids.h"
#include "models/topology/topology.h"

namespace lockstep::topology {

/// An automorphism: node n goes to nodes[n], link l to links[l].
struct SelfMap {
  std::vector<std::int32_t> nodes;
  std::vector<LinkId> links;
};

/// Finds automorphisms of one network, which must outlive it.
class SelfMaps {
 public:
  explicit SelfMaps(const Topology& topology);

  /// The one that takes host h to host image[h]: to a host that is like it but for its name, and
  /// links to links of the same wire. Switches go where their cables to hosts, or to switches
  /// nearer to hosts, lead; of several that hang between the same ones the i-th goes to the i-th.
  /// None when this is no automorphism.
  std::optional<SelfMap> extend(const std::vector<HostId>& image) const;

 private:
  struct Neighbour {
    std::int32_t node = 0;
    LinkId link = 0;
  };
  /// A switch and what tells apart those between different nodes.
  struct Keyed {
    std::uint64_t key = 0;
    std::int32_t node = 0;

    friend auto operator<=>(const Keyed&, const Keyed&) = default;
  };

  std::uint64_t key_of(std::int32_t node, const std::vector<std::int32_t>& image) const;
  bool map_switches(std::vector<std::int32_t>& image) const;
  std::optional<LinkId> link_between(std::int32_t from, std::int32_t to) const;

  const Topology& topology_;
  std::vector<std::uint32_t> first_;     // in out_, of each node, and the end
  std::vector<Neighbour> out_;           // of each node, by the neighbour's number
  std::vector<std::int32_t> layer_;      // of each node: links to the nearest host
  std::vector<std::vector<Keyed>> own_;  // switches of layer 1, 2, …, by their keys
};

}  // namespace lockstep::topology
