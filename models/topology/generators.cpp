// SPDX-License-Identifier: Apache-2.0
#include "models/topology/generators.h"

#include "models/base/errors.h"
#include "models/topology/shapes.h"

namespace lockstep::topology {

void add_cable(Topology& topology, const Cable& cable, std::int32_t from, std::int32_t to) {
  topology.links.push_back({cable.there, from, to});
  topology.links.push_back({cable.back, to, from});
}

namespace {

std::string numbered(const char* what, std::int32_t number) {
  return what + std::to_string(number);
}

void add_host(Topology& topology, const Rule& rule, std::string name) {
  topology.hosts.push_back(rule.host);
  topology.hosts.back().name = std::move(name);
}

void add_hosts(Topology& topology, const Rule& rule, std::int32_t count) {
  for (std::int32_t host = 0; host < count; ++host)
    add_host(topology, rule, numbered("host", host));
}

/// host0 … on switch "switch", or on every one of rail0 ….
void make_rails(Topology& topology, const Rule& rule) {
  const std::int32_t hosts = rule.sizes[0];
  const std::int32_t rails = rule.shape == Shape::Star ? 1 : rule.sizes[1];
  add_hosts(topology, rule, hosts);
  for (std::int32_t rail = 0; rail < rails; ++rail)
    topology.switches.push_back(rule.shape == Shape::Star ? "switch" : numbered("rail", rail));
  for (std::int32_t host = 0; host < hosts; ++host)
    for (std::int32_t rail = 0; rail < rails; ++rail)
      add_cable(topology, rule.cables[0], host, hosts + rail);
}

void make_full_mesh(Topology& topology, const Rule& rule) {
  add_hosts(topology, rule, rule.sizes[0]);
  for (std::int32_t a = 0; a < rule.sizes[0]; ++a)
    for (std::int32_t b = a + 1; b < rule.sizes[0]; ++b)
      add_cable(topology, rule.cables[0], a, b);
}

/// Hosts are numbered, or in a torus named after their place: "host3-0-1". From each one a cable
/// leads to the next in every dimension; from the last one to the first, unless it is a line or
/// these are connected already, being two.
void make_grid(Topology& topology, const Rule& rule) {
  const std::vector<std::int32_t> sizes = grid_sizes(rule);
  const auto hosts = static_cast<std::int32_t>(counts(rule).hosts);
  const bool is_torus = rule.shape == Shape::Torus2d || rule.shape == Shape::Torus3d;
  for (std::int32_t host = 0; host < hosts; ++host) {
    std::string name = numbered("host", is_torus ? host % sizes[0] : host);
    for (std::int32_t rest = host / sizes[0], d = 1; is_torus && d < std::ssize(sizes); ++d) {
      const std::int32_t size = sizes[static_cast<std::size_t>(d)];
      name += "-" + std::to_string(rest % size);
      rest /= size;
    }
    add_host(topology, rule, std::move(name));
  }
  for (std::int32_t host = 0; host < hosts; ++host) {
    std::int32_t stride = 1;
    for (const std::int32_t size : sizes) {
      const std::int32_t place = host / stride % size;
      if (place + 1 < size)
        add_cable(topology, rule.cables[0], host, host + stride);
      else if (size > 2 && rule.shape != Shape::Line)
        add_cable(topology, rule.cables[0], host, host - place * stride);
      stride *= size;
    }
  }
}

/// Hosts on leaf0 …, each of which has a cable to every one of spine0 ….
void make_leaf_spine(Topology& topology, const Rule& rule) {
  const std::int32_t leaves = rule.sizes[0];
  const std::int32_t spines = rule.sizes[1];
  const std::int32_t per_leaf = rule.sizes[2];
  const std::int32_t hosts = leaves * per_leaf;
  add_hosts(topology, rule, hosts);
  for (std::int32_t leaf = 0; leaf < leaves; ++leaf)
    topology.switches.push_back(numbered("leaf", leaf));
  for (std::int32_t spine = 0; spine < spines; ++spine)
    topology.switches.push_back(numbered("spine", spine));
  for (std::int32_t host = 0; host < hosts; ++host)
    add_cable(topology, rule.cables[0], host, hosts + host / per_leaf);
  for (std::int32_t leaf = 0; leaf < leaves; ++leaf)
    for (std::int32_t spine = 0; spine < spines; ++spine)
      add_cable(topology, rule.cables[1], hosts + leaf, hosts + leaves + spine);
}

/// Pod p has edge switches edge<p>-0 … and aggregation switches agg<p>-0 …, each connected with
/// each other kind. Aggregation switch a of every pod has a cable to each of core<a·k/2> …
/// (Al-Fares et al. 2008, section 3).
void make_fat_tree(Topology& topology, const Rule& rule) {
  const std::int32_t half = rule.sizes[0] / 2;
  const std::int32_t per_edge = half * rule.sizes[1];
  const std::int32_t edges = 2 * half * half;
  const std::int32_t hosts = edges * per_edge;
  add_hosts(topology, rule, hosts);
  for (const char* kind : {"edge", "agg"})
    for (std::int32_t number = 0; number < edges; ++number)
      topology.switches.push_back(numbered(kind, number / half) + "-" +
                                  std::to_string(number % half));
  for (std::int32_t core = 0; core < half * half; ++core)
    topology.switches.push_back(numbered("core", core));
  for (std::int32_t host = 0; host < hosts; ++host)
    add_cable(topology, rule.cables[0], host, hosts + host / per_edge);
  for (std::int32_t edge = 0; edge < edges; ++edge)
    for (std::int32_t a = 0; a < half; ++a)
      add_cable(topology, rule.cables[1], hosts + edge, hosts + edges + edge / half * half + a);
  for (std::int32_t agg = 0; agg < edges; ++agg)
    for (std::int32_t c = 0; c < half; ++c)
      add_cable(topology, rule.cables[1], hosts + edges + agg,
                hosts + 2 * edges + agg % half * half + c);
}

/// Hosts on router<group>-0 ….
void make_dragonfly(Topology& topology, const Rule& rule) {
  const Dragonfly fly(rule);
  const std::int32_t routers = fly.groups * fly.routers;
  const std::int32_t hosts = routers * fly.hosts_per_router;
  add_hosts(topology, rule, hosts);
  for (std::int32_t router = 0; router < routers; ++router)
    topology.switches.push_back(numbered("router", router / fly.routers) + "-" +
                                std::to_string(router % fly.routers));
  for (std::int32_t host = 0; host < hosts; ++host)
    add_cable(topology, rule.cables[0], host, hosts + host / fly.hosts_per_router);
  for (std::int32_t group = 0; group < fly.groups; ++group)
    for (std::int32_t a = 0; a < fly.routers; ++a)
      for (std::int32_t b = a + 1; b < fly.routers; ++b)
        add_cable(topology, rule.cables[1], hosts + group * fly.routers + a,
                  hosts + group * fly.routers + b);
  for (std::int32_t a = 0; a < fly.groups; ++a)
    for (std::int32_t b = a + 1; b < fly.groups; ++b)
      add_cable(topology, rule.cables[2], hosts + fly.gateway(a, b), hosts + fly.gateway(b, a));
}

/// Hosts rack<r>-host<h> on switch rack<r>, racks on switch "backbone"; with several sites, all
/// names begin with "site<s>-", and the site's switch site<s> comes in between.
void make_two_tier(Topology& topology, const Rule& rule) {
  const std::int32_t racks = rule.sizes[0];
  const std::int32_t per_rack = rule.sizes[1];
  const std::int32_t sites = rule.sizes[2];
  const auto rack_name = [&](std::int32_t rack) {
    const std::string name = numbered("rack", rack % racks);
    return sites > 1 ? numbered("site", rack / racks) + "-" + name : name;
  };
  for (std::int32_t host = 0; host < sites * racks * per_rack; ++host)
    add_host(topology, rule, rack_name(host / per_rack) + numbered("-host", host % per_rack));
  const std::int32_t hosts = sites * racks * per_rack;
  const std::int32_t backbone = hosts + sites * racks + (sites > 1 ? sites : 0);
  for (std::int32_t rack = 0; rack < sites * racks; ++rack)
    topology.switches.push_back(rack_name(rack));
  for (std::int32_t site = 0; sites > 1 && site < sites; ++site)
    topology.switches.push_back(numbered("site", site));
  topology.switches.push_back("backbone");
  for (std::int32_t host = 0; host < hosts; ++host)
    add_cable(topology, rule.cables[0], host, hosts + host / per_rack);
  for (std::int32_t rack = 0; rack < sites * racks; ++rack)
    if (sites > 1)
      add_cable(topology, rule.cables[1], hosts + rack, hosts + sites * racks + rack / racks);
    else
      add_cable(topology, rule.cables[2], hosts + rack, backbone);
  for (std::int32_t site = 0; sites > 1 && site < sites; ++site)
    add_cable(topology, rule.cables[2], hosts + sites * racks + site, backbone);
}

void make(Topology& topology, const Rule& rule) {
  switch (rule.shape) {
    case Shape::OneHost:
      return add_hosts(topology, rule, 1);
    case Shape::Star:
    case Shape::Rails:
      return make_rails(topology, rule);
    case Shape::FullMesh:
      return make_full_mesh(topology, rule);
    case Shape::Ring:
    case Shape::Line:
    case Shape::Torus2d:
    case Shape::Torus3d:
    case Shape::Hypercube:
      return make_grid(topology, rule);
    case Shape::LeafSpine:
      return make_leaf_spine(topology, rule);
    case Shape::FatTree:
      return make_fat_tree(topology, rule);
    case Shape::Dragonfly:
      return make_dragonfly(topology, rule);
    case Shape::TwoTier:
      return make_two_tier(topology, rule);
  }
}

}  // namespace

Topology generate(const Rule& rule) {
  LOCKSTEP_CHECK(fault_of(rule).empty(), fault_of(rule));
  Topology topology;
  topology.name = shape_facts(rule.shape).name;
  topology.rule = rule;
  const Counts made = counts(rule);
  topology.hosts.reserve(static_cast<std::size_t>(made.hosts));
  topology.switches.reserve(static_cast<std::size_t>(made.switches));
  topology.links.reserve(static_cast<std::size_t>(2 * made.cables));
  make(topology, rule);
  return topology;
}

}  // namespace lockstep::topology
