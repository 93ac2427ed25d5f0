// SPDX-License-Identifier: Apache-2.0
#include "models/topology/self_map.h"

#include <algorithm>
#include <numeric>

#include "models/base/random.h"

namespace lockstep::topology {

namespace {

bool are_alike(const Host& a, const Host& b) {
  return a.machine == b.machine && a.speed == b.speed && a.cores == b.cores &&
         a.sockets == b.sockets && a.socket_bytes_per_second == b.socket_bytes_per_second &&
         a.socket_latency == b.socket_latency;
}

}  // namespace

SelfMaps::SelfMaps(const Topology& topology) : topology_(topology) {
  const auto nodes = static_cast<std::size_t>(topology.nodes());
  first_.assign(nodes + 1, 0);
  for (const Link& link : topology.links)
    ++first_[static_cast<std::size_t>(link.from) + 1];
  std::partial_sum(first_.begin(), first_.end(), first_.begin());
  out_.resize(topology.links.size());
  std::vector<std::uint32_t> next(first_.begin(), first_.end() - 1);
  for (LinkId link = 0; link < std::ssize(topology.links); ++link) {
    const Link& ends = topology.links[static_cast<std::size_t>(link)];
    out_[next[static_cast<std::size_t>(ends.from)]++] = {ends.to, link};
  }
  const auto before = [](const Neighbour& a, const Neighbour& b) { return a.node < b.node; };
  for (std::size_t node = 0; node < nodes; ++node) {
    const auto begin = out_.begin() + first_[node];
    const auto end = out_.begin() + first_[node + 1];
    if (!std::is_sorted(begin, end, before)) std::sort(begin, end, before);
  }

  layer_.assign(nodes, -1);
  std::vector<std::int32_t> reached(topology.hosts.size());
  std::iota(reached.begin(), reached.end(), 0);
  std::fill(layer_.begin(), layer_.begin() + std::ssize(topology.hosts), 0);
  std::vector<std::int32_t> itself(nodes);
  std::iota(itself.begin(), itself.end(), 0);
  for (std::size_t i = 0; i < reached.size(); ++i) {
    const auto node = static_cast<std::size_t>(reached[i]);
    for (std::uint32_t n = first_[node]; n < first_[node + 1]; ++n) {
      std::int32_t& layer = layer_[static_cast<std::size_t>(out_[n].node)];
      if (layer >= 0) continue;
      layer = layer_[node] + 1;
      reached.push_back(out_[n].node);
    }
  }
  for (std::size_t i = topology.hosts.size(); i < reached.size(); ++i) {
    const auto layer = static_cast<std::size_t>(layer_[static_cast<std::size_t>(reached[i])]);
    if (own_.size() < layer) own_.resize(layer);
    own_[layer - 1].push_back({key_of(reached[i], itself), reached[i]});
  }
  for (std::vector<Keyed>& switches : own_)
    std::sort(switches.begin(), switches.end());
}

/// Of the images of the neighbours that are one layer nearer to hosts, whatever their order.
std::uint64_t SelfMaps::key_of(std::int32_t node, const std::vector<std::int32_t>& image) const {
  const auto index = static_cast<std::size_t>(node);
  std::uint64_t key = 0;
  for (std::uint32_t n = first_[index]; n < first_[index + 1]; ++n) {
    const auto neighbour = static_cast<std::size_t>(out_[n].node);
    if (layer_[neighbour] == layer_[index] - 1)
      key += Random(static_cast<std::uint64_t>(image[neighbour])).next();
  }
  return key;
}

bool SelfMaps::map_switches(std::vector<std::int32_t>& image) const {
  std::vector<Keyed> moved;
  for (const std::vector<Keyed>& own : own_) {
    moved.clear();
    for (const Keyed& each : own)
      moved.push_back({key_of(each.node, image), each.node});
    std::sort(moved.begin(), moved.end());
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (moved[i].key != own[i].key) return false;
      image[static_cast<std::size_t>(moved[i].node)] = own[i].node;
    }
  }
  return true;
}

std::optional<LinkId> SelfMaps::link_between(std::int32_t from, std::int32_t to) const {
  const auto begin = out_.begin() + first_[static_cast<std::size_t>(from)];
  const auto end = out_.begin() + first_[static_cast<std::size_t>(from) + 1];
  const auto found = std::lower_bound(
      begin, end, to, [](const Neighbour& each, std::int32_t node) { return each.node < node; });
  if (found == end || found->node != to) return std::nullopt;
  return found->link;
}

std::optional<SelfMap> SelfMaps::extend(const std::vector<HostId>& image) const {
  SelfMap map;
  map.nodes.resize(static_cast<std::size_t>(topology_.nodes()), -1);
  std::vector<bool> taken(image.size());
  for (std::size_t host = 0; host < image.size(); ++host) {
    const auto to = static_cast<std::size_t>(image[host]);
    if (taken[to] || !are_alike(topology_.hosts[host], topology_.hosts[to])) return std::nullopt;
    taken[to] = true;
    map.nodes[host] = image[host];
  }
  if (!map_switches(map.nodes)) return std::nullopt;
  for (const Link& link : topology_.links) {
    const std::optional<LinkId> there = link_between(map.nodes[static_cast<std::size_t>(link.from)],
                                                     map.nodes[static_cast<std::size_t>(link.to)]);
    if (!there) return std::nullopt;
    const Wire& wire = topology_.links[static_cast<std::size_t>(*there)];
    if (wire != static_cast<const Wire&>(link)) return std::nullopt;
    map.links.push_back(*there);
  }
  return map;
}

}  // namespace lockstep::topology
