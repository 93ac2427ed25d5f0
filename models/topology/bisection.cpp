// SPDX-License-Identifier: Apache-2.0
#include "models/topology/bisection.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "models/topology/routes.h"

namespace lockstep::topology {

namespace {

/// Maximum flow by Dinic's algorithm (1970): while the sink can be reached, all shortest ways with
/// something left are filled.
class MaxFlow {
 public:
  explicit MaxFlow(const Topology& topology)
      : topology_(topology), arcs_of_(static_cast<std::size_t>(topology.nodes()) + 2) {
    for (const Link& link : topology.links)
      add(link.from, link.to, link.bytes_per_second);
    for (HostId host = 0; host < std::ssize(topology.hosts); ++host) {
      add(source(), host, 0);
      add(host, sink(), 0);
    }
  }

  double from(const std::vector<bool>& sends) {
    constexpr double kUnlimited = std::numeric_limits<double>::infinity();
    const std::size_t links = topology_.links.size();
    for (std::size_t link = 0; link < links; ++link)
      set(link, topology_.links[link].bytes_per_second);
    for (std::size_t host = 0; host < sends.size(); ++host) {
      set(links + 2 * host, sends[host] ? kUnlimited : 0);
      set(links + 2 * host + 1, sends[host] ? 0 : kUnlimited);
    }
    double flow = 0;
    while (find_levels()) {
      next_arc_.assign(arcs_of_.size(), 0);
      while (const double more = push(source(), kUnlimited))
        flow += more;
    }
    return flow;
  }

 private:
  /// Arc 2k leads along, arc 2k + 1 back: what flows along may be taken back.
  struct Arc {
    std::int32_t to = 0;
    double left = 0;
  };

  std::int32_t source() const { return topology_.nodes(); }
  std::int32_t sink() const { return topology_.nodes() + 1; }

  void add(std::int32_t from, std::int32_t to, double capacity) {
    arcs_of_[static_cast<std::size_t>(from)].push_back(arcs_.size());
    arcs_.push_back({to, capacity});
    arcs_of_[static_cast<std::size_t>(to)].push_back(arcs_.size());
    arcs_.push_back({from, 0});
  }

  void set(std::size_t pair, double capacity) {
    arcs_[2 * pair].left = capacity;
    arcs_[2 * pair + 1].left = 0;
  }

  bool find_levels() {
    level_.assign(arcs_of_.size(), -1);
    level_[static_cast<std::size_t>(source())] = 0;
    std::vector<std::int32_t> reached{source()};
    for (std::size_t i = 0; i < reached.size(); ++i)
      for (const std::size_t arc : arcs_of_[static_cast<std::size_t>(reached[i])]) {
        const auto to = static_cast<std::size_t>(arcs_[arc].to);
        if (arcs_[arc].left <= 0 || level_[to] >= 0) continue;
        level_[to] = level_[static_cast<std::size_t>(reached[i])] + 1;
        reached.push_back(arcs_[arc].to);
      }
    return level_[static_cast<std::size_t>(sink())] >= 0;
  }

  /// Sends up to `most` over one way from the node to the sink; returns how much.
  double push(std::int32_t node, double most) {
    if (node == sink()) return most;
    const auto index = static_cast<std::size_t>(node);
    for (std::size_t& next = next_arc_[index]; next < arcs_of_[index].size(); ++next) {
      Arc& arc = arcs_[arcs_of_[index][next]];
      if (arc.left <= 0 || level_[static_cast<std::size_t>(arc.to)] != level_[index] + 1) continue;
      const double sent = push(arc.to, std::min(most, arc.left));
      if (sent <= 0) continue;
      arc.left -= sent;
      arcs_[arcs_of_[index][next] ^ 1].left += sent;
      return sent;
    }
    return 0;
  }

  const Topology& topology_;
  std::vector<Arc> arcs_;
  std::vector<std::vector<std::size_t>> arcs_of_;  // of each node
  std::vector<std::int32_t> level_;
  std::vector<std::size_t> next_arc_;
};

/// All sets of `count` hosts.
double least_of_all(MaxFlow& flow, std::size_t hosts, std::size_t count) {
  std::vector<bool> sends(hosts);
  std::fill(sends.begin(), sends.begin() + static_cast<std::ptrdiff_t>(count), true);
  double least = std::numeric_limits<double>::infinity();
  do
    least = std::min(least, flow.from(sends));
  while (std::prev_permutation(sends.begin(), sends.end()));
  return least;
}

/// The first half of an order, to the rest and from the rest.
double least_of_halves(MaxFlow& flow, const std::vector<HostId>& order) {
  std::vector<bool> sends(order.size());
  for (std::size_t i = 0; i < order.size() / 2; ++i)
    sends[static_cast<std::size_t>(order[i])] = true;
  const double there = flow.from(sends);
  sends.flip();
  return std::min(there, flow.from(sends));
}

/// Orders whose halves are likely to be badly connected: as in the file, as dealt to two, and
/// around some of the hosts.
double least_of_some(MaxFlow& flow, const Topology& topology) {
  const auto hosts = static_cast<HostId>(topology.hosts.size());
  std::vector<HostId> order(topology.hosts.size());
  std::iota(order.begin(), order.end(), 0);
  double least = least_of_halves(flow, order);
  std::stable_partition(order.begin(), order.end(), [](HostId host) { return host % 2 == 0; });
  least = std::min(least, least_of_halves(flow, order));
  const Adjacency adjacency(topology);
  Distances distances(topology, adjacency);
  constexpr HostId kCentres = 16;
  for (HostId i = 0; i < kCentres; ++i) {
    const HostId centre = i * hosts / kCentres;
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](HostId a, HostId b) {
      return distances.between(a, centre) < distances.between(b, centre);
    });
    least = std::min(least, least_of_halves(flow, order));
  }
  return least;
}

}  // namespace

double flow_across(const Topology& topology, const std::vector<bool>& sends) {
  return MaxFlow(topology).from(sends);
}

std::optional<Bisection> search_bisection(const Topology& topology) {
  constexpr std::size_t kMostForAll = 16;
  constexpr std::size_t kMostLinks = 4096;
  const std::size_t hosts = topology.hosts.size();
  if (hosts < 2 || topology.links.size() > kMostLinks) return std::nullopt;
  MaxFlow flow(topology);
  if (hosts > kMostForAll) return Bisection{least_of_some(flow, topology), false};
  const double least = least_of_all(flow, hosts, hosts / 2);
  return Bisection{std::min(least, least_of_all(flow, hosts, (hosts + 1) / 2)), true};
}

}  // namespace lockstep::topology
