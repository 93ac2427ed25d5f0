// SPDX-License-Identifier: Apache-2.0
#include "models/topology/picture.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>

#include "models/topology/routes.h"
#include "models/topology/shapes.h"

namespace lockstep::topology {

namespace {

constexpr std::size_t kFewHosts = 64;  // that are all drawn
constexpr double kHostGap = 30;
constexpr double kSwitchGap = 66;
constexpr double kGridGap = 90;

Point on_circle(double radius, double turn) {
  const double angle = 2 * std::numbers::pi * turn - std::numbers::pi / 2;  // 0 is at the top
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

/// What hosts that are drawn as one have in common: their switch, and the rates to it and from it.
using Kinship = std::tuple<std::int32_t, double, double>;

/// None for a node that is drawn alone.
std::optional<Kinship> kinship_of(const Topology& topology, const Adjacency& adjacency,
                                  std::int32_t node) {
  const std::int32_t neighbour = adjacency.only_neighbour(node);
  if (neighbour < 0 || topology.hosts.size() <= kFewHosts) return std::nullopt;
  const auto rate = [&](LinkId link) {
    return topology.links[static_cast<std::size_t>(link)].bytes_per_second;
  };
  return Kinship{neighbour, rate(adjacency.out(node).front()), rate(adjacency.in(node).front())};
}

/// The picture without places.
class Nodes {
 public:
  explicit Nodes(const Topology& topology) : topology_(topology), adjacency_(topology) {
    for (std::int32_t node = 0; node < topology.nodes(); ++node)
      add(node);
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> known;
    for (LinkId link = 0; link < std::ssize(topology.links); ++link) {
      const Link& ends = topology.links[static_cast<std::size_t>(link)];
      const std::size_t from = number_[static_cast<std::size_t>(ends.from)];
      const std::size_t to = number_[static_cast<std::size_t>(ends.to)];
      const auto [place, is_new] = known.emplace(std::minmax(from, to), picture_.lines.size());
      if (is_new) picture_.lines.push_back({from, to});
      Picture::Line& line = picture_.lines[place->second];
      (line.from == from ? line.there : line.back).push_back(link);
    }
  }

  Picture take() { return std::move(picture_); }

 private:
  void add(std::int32_t node) {
    const std::string& name = topology_.node_name(node);
    if (const auto kinship = kinship_of(topology_, adjacency_, node)) {
      const auto [place, is_new] = bundle_.emplace(*kinship, picture_.nodes.size());
      number_.push_back(place->second);
      if (!is_new) {
        Picture::Node& bundle = picture_.nodes[place->second];
        ++bundle.hosts;
        bundle.label = bundle.label.substr(0, bundle.label.find(" … ")) + " … " + name;
        return;
      }
    } else {
      number_.push_back(picture_.nodes.size());
    }
    picture_.nodes.push_back({.label = name, .is_host = topology_.is_host(node)});
  }

  const Topology& topology_;
  Adjacency adjacency_;
  Picture picture_;
  std::vector<std::size_t> number_;        // in the picture, of each node
  std::map<Kinship, std::size_t> bundle_;  // in the picture, of hosts drawn as one
};

/// Places nodes that form a circle, in their order.
void lay_circle(Picture& picture) {
  const auto count = static_cast<double>(picture.nodes.size());
  const double radius = std::max(120.0, count * kHostGap / (2 * std::numbers::pi));
  for (std::size_t i = 0; i < picture.nodes.size(); ++i) {
    const double turn = static_cast<double>(i) / count;
    picture.nodes[i].at = on_circle(radius, turn);
    picture.nodes[i].label_side = on_circle(1, turn);
  }
}

/// A row that turns back at its end, like an ox at plough.
void lay_row(Picture& picture) {
  constexpr std::size_t kRow = 16;
  for (std::size_t i = 0; i < picture.nodes.size(); ++i) {
    const std::size_t row = i / kRow;
    const std::size_t column = row % 2 == 0 ? i % kRow : kRow - 1 - i % kRow;
    picture.nodes[i].at = {static_cast<double>(column) * kGridGap,
                           static_cast<double>(row) * kGridGap};
    picture.nodes[i].label_side = {0, 1};
  }
}

/// Rows and columns; layers behind one another, each a bit to the right and up.
void lay_torus(Picture& picture, const std::vector<std::int32_t>& sizes) {
  const auto x_size = static_cast<std::size_t>(sizes[0]);
  const auto y_size = static_cast<std::size_t>(sizes[1]);
  const double layers = sizes.size() > 2 ? sizes[2] : 1;
  const double gap = std::max(kGridGap, 50 * layers);
  for (std::size_t i = 0; i < picture.nodes.size(); ++i) {
    const auto x = static_cast<double>(i % x_size);
    const auto y = static_cast<double>(i / x_size % y_size);
    const auto z = static_cast<double>(i / x_size / y_size);
    picture.nodes[i].at = {x * gap + z * 44, y * gap - z * 31};
    picture.nodes[i].label_side = {0, 1};
  }
}

/// Every bit of a host's number is a step in a direction of its own; directions are spread over a
/// quarter, each more than twice as long as the one before, so that no two hosts fall on one place.
void lay_hypercube(Picture& picture, std::int32_t dimensions) {
  for (std::size_t i = 0; i < picture.nodes.size(); ++i) {
    Point at;
    for (std::int32_t bit = 0; bit < dimensions; ++bit) {
      if ((i >> bit & 1) == 0) continue;
      const double length = 100 * std::pow(2.15, bit / 2);
      const double angle = (bit % 2 == 0 ? 0.0 : 0.5 * std::numbers::pi) + 0.07 * bit;
      at.x += length * std::cos(angle);
      at.y += length * std::sin(angle);
    }
    picture.nodes[i].at = at;
    picture.nodes[i].label_side = {0, 1};
  }
}

using Neighbours = std::vector<std::vector<std::size_t>>;

Neighbours neighbours_of(const Picture& picture) {
  Neighbours neighbours(picture.nodes.size());
  for (const Picture::Line& line : picture.lines) {
    neighbours[line.from].push_back(line.to);
    neighbours[line.to].push_back(line.from);
  }
  return neighbours;
}

/// Hosts are on layer 0, switches as far up as the nearest host is away. Those that reach none are
/// on layer 1.
std::vector<std::size_t> layers_of(const Picture& picture, const Neighbours& neighbours) {
  constexpr std::size_t kNone = SIZE_MAX;
  std::vector<std::size_t> layers(picture.nodes.size(), kNone);
  std::vector<std::size_t> reached;
  for (std::size_t i = 0; i < layers.size(); ++i)
    if (picture.nodes[i].is_host) {
      layers[i] = 0;
      reached.push_back(i);
    }
  for (std::size_t i = 0; i < reached.size(); ++i)
    for (const std::size_t other : neighbours[reached[i]])
      if (layers[other] == kNone) {
        layers[other] = layers[reached[i]] + 1;
        reached.push_back(other);
      }
  std::replace(layers.begin(), layers.end(), kNone, std::size_t{1});
  return layers;
}

/// The mean place of what is connected below, along one axis.
double mean_below(const Picture& picture, const Neighbours& neighbours,
                  const std::vector<std::size_t>& layers, std::size_t node) {
  double sum = 0;
  double count = 0;
  for (const std::size_t other : neighbours[node])
    if (layers[other] < layers[node]) {
      sum += picture.nodes[other].at.x;
      ++count;
    }
  return count > 0 ? sum / count : 0;
}

/// The nodes of one layer from left to right, each over the middle of what it is connected with
/// below, but never closer than the gap.
void lay_layer(Picture& picture, const std::vector<std::size_t>& nodes,
               const std::vector<double>& wanted, double gap) {
  std::vector<std::size_t> order(nodes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return wanted[a] < wanted[b]; });
  double last = 0;
  double shift = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double x = i == 0 ? wanted[order[i]] : std::max(wanted[order[i]], last + gap);
    picture.nodes[nodes[order[i]]].at.x = last = x;
    shift += (wanted[order[i]] - x) / static_cast<double>(order.size());
  }
  for (const std::size_t node : nodes)
    picture.nodes[node].at.x += shift;
}

/// Hosts in the order of the switches that they hang on, so that lines do not cross.
std::vector<double> wanted_of_hosts(const Picture& picture, const std::vector<std::size_t>& hosts,
                                    const Neighbours& neighbours) {
  std::vector<double> wanted;
  for (const std::size_t host : hosts) {
    std::size_t first = picture.nodes.size();
    for (const std::size_t other : neighbours[host])
      first = std::min(first, other);
    wanted.push_back(static_cast<double>(first) * 1e-3);  // only the order counts
  }
  return wanted;
}

void lay_layers(Picture& picture, const Neighbours& neighbours,
                const std::vector<std::size_t>& layers) {
  const std::size_t top = *std::max_element(layers.begin(), layers.end());
  std::vector<std::vector<std::size_t>> rows(top + 1);
  for (std::size_t i = 0; i < layers.size(); ++i)
    rows[layers[i]].push_back(i);
  const bool bundled = std::any_of(picture.nodes.begin(), picture.nodes.end(),
                                   [](const Picture::Node& node) { return node.hosts > 1; });
  const double host_gap = bundled ? kSwitchGap : kHostGap;
  const double width =
      std::max(static_cast<double>(rows[0].size()) * host_gap,
               static_cast<double>(picture.nodes.size() - rows[0].size()) * kSwitchGap /
                   static_cast<double>(std::max<std::size_t>(1, top)));
  const double height = std::clamp(width / 7, 110.0, 330.0);
  for (std::size_t layer = 0; layer <= top; ++layer) {
    std::vector<double> wanted;
    if (layer == 0)
      wanted = wanted_of_hosts(picture, rows[0], neighbours);
    else
      for (const std::size_t node : rows[layer])
        wanted.push_back(mean_below(picture, neighbours, layers, node));
    lay_layer(picture, rows[layer], wanted, layer == 0 ? host_gap : kSwitchGap);
    for (const std::size_t node : rows[layer]) {
      picture.nodes[node].at.y = -static_cast<double>(layer) * height;
      picture.nodes[node].label_side = {0, layer == 0 ? 1.0 : -1.0};
    }
  }
}

/// Switches on a circle, hosts outside of it, each beside its switch; switches without hosts
/// inside.
void lay_wheel(Picture& picture, const Neighbours& neighbours,
               const std::vector<std::size_t>& layers) {
  std::vector<std::vector<std::size_t>> hosts(picture.nodes.size());
  std::size_t rim = 0;
  std::size_t inside = 0;
  std::size_t most_hosts = 1;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    rim += layers[i] == 1;
    inside += layers[i] > 1;
    if (!picture.nodes[i].is_host) continue;
    std::size_t first = picture.nodes.size();
    for (const std::size_t other : neighbours[i])
      if (!picture.nodes[other].is_host) first = std::min(first, other);
    if (first == picture.nodes.size()) continue;
    hosts[first].push_back(i);
    most_hosts = std::max(most_hosts, hosts[first].size());
  }
  const double turn = 1 / static_cast<double>(std::max<std::size_t>(1, rim));
  const double needed = std::max(kSwitchGap, static_cast<double>(most_hosts) * kHostGap * 0.8);
  const double radius = std::max(150.0, static_cast<double>(rim) * needed / (2 * std::numbers::pi));
  std::size_t number = 0;
  std::size_t number_inside = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i] == 0) continue;
    const bool is_inside = layers[i] > 1;
    const double at = is_inside ? static_cast<double>(number_inside++) /
                                      static_cast<double>(std::max<std::size_t>(1, inside))
                                : static_cast<double>(number++) * turn;
    picture.nodes[i].at = on_circle(is_inside ? radius / 3 : radius, at);
    picture.nodes[i].label_side = on_circle(1, at);
    const auto own = static_cast<double>(hosts[i].size());
    for (std::size_t h = 0; h < hosts[i].size(); ++h) {
      const double beside = at + (static_cast<double>(h) + 0.5 - own / 2) * turn / own * 0.9;
      picture.nodes[hosts[i][h]].at = on_circle(radius + 90, beside);
      picture.nodes[hosts[i][h]].label_side = on_circle(1, beside);
    }
  }
}

}  // namespace

std::size_t drawn_nodes(const Topology& topology) {
  const Adjacency adjacency(topology);
  std::set<Kinship> bundles;
  std::size_t alone = topology.switches.size();
  for (HostId host = 0; host < std::ssize(topology.hosts); ++host) {
    if (const auto kinship = kinship_of(topology, adjacency, host))
      bundles.insert(*kinship);
    else
      ++alone;
  }
  return alone + bundles.size();
}

Picture make_picture(const Topology& topology) {
  Picture picture = Nodes(topology).take();
  if (topology.rule) {
    const Rule& rule = *topology.rule;
    if (rule.shape == Shape::Torus2d || rule.shape == Shape::Torus3d)
      return lay_torus(picture, rule.sizes), picture;
    if (rule.shape == Shape::Hypercube) return lay_hypercube(picture, rule.sizes[0]), picture;
    if (rule.shape == Shape::Line) return lay_row(picture), picture;
  }
  if (topology.switches.empty()) return lay_circle(picture), picture;
  const Neighbours neighbours = neighbours_of(picture);
  const std::vector<std::size_t> layers = layers_of(picture, neighbours);
  const auto level = std::count_if(
      picture.lines.begin(), picture.lines.end(),
      [&](const Picture::Line& line) { return layers[line.from] == layers[line.to]; });
  if (level > 2)
    lay_wheel(picture, neighbours, layers);
  else
    lay_layers(picture, neighbours, layers);
  return picture;
}

}  // namespace lockstep::topology
