// SPDX-License-Identifier: Apache-2.0
// Writes the JSON form of a topology: as its rule, or with all hosts and links listed.
#include <algorithm>

#include "models/topology/element_json.h"
#include "models/topology/generators.h"

namespace lockstep::topology {
namespace {

Json list_of_hosts(const Topology& topology) {
  Json hosts = Json::array();
  for (const Host& host : topology.hosts) {
    Json json{{"name", host.name}};
    write_host(host, Host{}, json);
    hosts.push_back(std::move(json));
  }
  return hosts;
}

/// What most cables have in common is what the first one has, as far as the others have it too.
Cable common_cable(const std::vector<Link>& links) {
  Wire common = links.front();
  for (const Link& link : links) {
    if (link.bytes_per_second != common.bytes_per_second) common.bytes_per_second = 0;
    if (link.latency != common.latency) common.latency = Time::max();
    if (link.header_efficiency != common.header_efficiency) common.header_efficiency = 1;
    if (link.burst_bytes != common.burst_bytes) common.burst_bytes = 0;
    if (link.queue_bytes != common.queue_bytes) common.queue_bytes = 0;
  }
  return {common, common};
}

/// Two links in a row that lead to and fro are one cable.
Json list_of_links(const Topology& topology, const Cable& usual) {
  Json links = Json::array();
  for (std::size_t i = 0; i < topology.links.size(); ++i) {
    const Link& link = topology.links[i];
    const Link* back = i + 1 < topology.links.size() ? &topology.links[i + 1] : nullptr;
    const bool duplex = back && back->from == link.to && back->to == link.from;
    Json json{{"from", topology.node_name(link.from)}, {"to", topology.node_name(link.to)}};
    write_cable({link, duplex ? Wire(*back) : Wire(link)}, usual, json);
    if (duplex)
      ++i;
    else
      json["duplex"] = false;
    links.push_back(std::move(json));
  }
  return links;
}

Json list_of_routes(const Topology& topology) {
  Json routes = Json::array();
  for (const GivenRoute& route : topology.routes) {
    Json names = Json::array({topology.node_name(route.from)});
    for (const LinkId link : route.links)
      names.push_back(topology.node_name(topology.links[static_cast<std::size_t>(link)].to));
    routes.push_back(std::move(names));
  }
  return routes;
}

/// Whether its rule says all there is to say of its hosts and links.
bool is_as_generated(const Topology& topology) {
  if (!topology.rule) return false;
  const Topology fresh = generate(*topology.rule);
  return topology.hosts == fresh.hosts && topology.switches == fresh.switches &&
         topology.links == fresh.links;
}

}  // namespace

std::string to_json(const Topology& topology, bool listed) {
  Json json{{"name", topology.name}};
  if (!listed && is_as_generated(topology)) {
    json["generate"] = json_of(*topology.rule);
  } else {
    json["hosts"] = list_of_hosts(topology);
    if (!topology.switches.empty()) json["switches"] = topology.switches;
    if (!topology.links.empty()) {
      const Cable usual = common_cable(topology.links);
      Wire unlike;
      unlike.latency = Time::max();
      Json defaults = Json::object();
      write_wire(usual.there, unlike, defaults);
      if (!defaults.empty()) json["link_defaults"] = std::move(defaults);
      json["links"] = list_of_links(topology, usual);
    }
  }
  if (topology.processors > 0) json["processors"] = topology.processors;
  if (topology.routing != Routing::First) json["routing"] = name_of(topology.routing);
  if (!topology.routes.empty()) json["routes"] = list_of_routes(topology);
  return to_text(json);
}

}  // namespace lockstep::topology
