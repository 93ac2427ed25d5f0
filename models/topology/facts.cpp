// SPDX-License-Identifier: Apache-2.0
#include "models/topology/facts.h"

#include <algorithm>
#include <set>

#include "models/topology/routes.h"
#include "models/topology/shapes.h"

namespace lockstep::topology {

namespace {

/// Looks at the ways to all hosts, or to some if there are many.
void search_diameter(const Topology& topology, const Adjacency& adjacency, Facts& facts) {
  constexpr HostId kMany = 2000;
  constexpr HostId kSome = 16;
  const auto hosts = static_cast<HostId>(topology.hosts.size());
  Distances distances(topology, adjacency);
  facts.is_exact = hosts <= kMany;
  const HostId looked_at = facts.is_exact ? hosts : kSome;
  for (HostId i = 0; i < looked_at; ++i) {
    const auto to = static_cast<HostId>(std::int64_t{i} * hosts / looked_at);
    for (HostId from = 0; from < hosts; ++from)
      facts.diameter = std::max(facts.diameter, distances.between(from, to));
  }
}

/// Looks at the ways from the first host to others.
bool has_equal_paths(const Topology& topology) {
  constexpr HostId kMany = 64;
  Routes routes(topology, Routing::Split, 0);
  const auto hosts = static_cast<HostId>(topology.hosts.size());
  for (HostId to = std::max(0, hosts - kMany); to < hosts; ++to)
    for (const Hop& hop : routes.between({.from = 0, .to = to}).hops)
      if (hop.share < 1) return true;
  return false;
}

void find_slowest(const Topology& topology, Facts& facts) {
  for (LinkId link = 0; link < std::ssize(topology.links); ++link) {
    const auto rate = [&](LinkId id) {
      return topology.links[static_cast<std::size_t>(id)].bytes_per_second;
    };
    if (facts.slowest < 0 || rate(link) < rate(facts.slowest)) facts.slowest = link;
    if (facts.fastest < 0 || rate(link) > rate(facts.fastest)) facts.fastest = link;
  }
}

}  // namespace

Facts facts_of(const Topology& topology) {
  Facts facts;
  const Adjacency adjacency(topology);
  find_slowest(topology, facts);
  const std::optional<std::int32_t> known = topology.rule ? diameter(*topology.rule) : std::nullopt;
  if (known) {
    facts.diameter = *known;
    facts.is_exact = true;
  } else {
    search_diameter(topology, adjacency, facts);
  }
  if (const auto formula = topology.rule ? bisection(*topology.rule) : std::nullopt)
    facts.bisection = Bisection{*formula, true};
  else
    facts.bisection = search_bisection(topology);
  std::set<std::int32_t> racks;
  for (HostId host = 0; host < std::ssize(topology.hosts); ++host) {
    if (adjacency.out(host).empty()) continue;
    const std::int32_t to =
        topology.links[static_cast<std::size_t>(adjacency.out(host).front())].to;
    if (!topology.is_host(to)) racks.insert(to);
  }
  facts.racks = static_cast<std::int32_t>(racks.size());
  facts.has_equal_paths = has_equal_paths(topology);
  for (std::size_t i = 0; i < topology.switches.size(); ++i) {
    const auto node = static_cast<std::int32_t>(topology.hosts.size() + i);
    if (adjacency.out(node).empty() && adjacency.in(node).empty())
      facts.idle_switches.push_back(topology.switches[i]);
  }
  return facts;
}

std::string describe(const std::optional<Rule>& rule) {
  if (!rule) return "listed";
  const ShapeFacts& shape = shape_facts(rule->shape);
  std::string text = shape.name;
  for (std::size_t i = 0; i < rule->sizes.size(); ++i) {
    text += (i == 0 ? ": " : ", ") + std::string(shape.parameters[i].key) + " " +
            std::to_string(rule->sizes[i]);
  }
  return text;
}

namespace {

std::string counted(std::size_t count, const char* one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

std::string text_of(const Topology& topology, LinkId link) {
  return format_bitrate(topology.links[static_cast<std::size_t>(link)].bytes_per_second) + ", " +
         topology.link_name(link);
}

}  // namespace

std::string to_table(const Topology& topology, const Facts& facts) {
  std::string table;
  const auto row = [&](const std::string& name, const std::string& value) {
    table += "  " + name + std::string(12 - name.size(), ' ') + value + "\n";
  };
  row("kind", describe(topology.rule));
  row("hosts",
      std::to_string(topology.hosts.size()) +
          (facts.racks > 1 ? " in " + counted(static_cast<std::size_t>(facts.racks), "rack") : ""));
  row("switches", std::to_string(topology.switches.size()));
  row("links", std::to_string(topology.links.size()) + ", one for each direction");
  if (facts.slowest >= 0) {
    row("slowest", text_of(topology, facts.slowest));
    row("fastest", text_of(topology, facts.fastest));
    row("diameter", (facts.is_exact ? "" : "at least ") +
                        counted(static_cast<std::size_t>(facts.diameter), "link"));
  }
  if (facts.bisection)
    row("bisection", (facts.bisection->is_exact ? "" : "at most ") +
                         format_bitrate(facts.bisection->bytes_per_second) + " one way");
  row("routing",
      name_of(topology.routing) +
          (topology.routes.empty() ? "" : ", " + counted(topology.routes.size(), "given route")));
  return table;
}

}  // namespace lockstep::topology
