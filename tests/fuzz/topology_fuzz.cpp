// SPDX-License-Identifier: Apache-2.0
// For libFuzzer: any bytes as a topology file are refused with faults, or are a topology that has
// routes, facts and a drawing and is the same when it is written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "models/topology/drawing.h"
#include "models/topology/facts.h"
#include "models/topology/picture.h"
#include "models/topology/routes.h"

using namespace lockstep::topology;

namespace {

void check(bool condition) {
  if (!condition) std::abort();
}

void check_routes(Topology& topology) {
  const auto last = static_cast<lockstep::HostId>(topology.hosts.size() - 1);
  for (const Routing routing : {Routing::First, Routing::Hash, Routing::Split}) {
    Routes routes(topology, routing, 1);
    for (const Flow& flow : {Flow{.from = 0, .to = last}, Flow{.from = last, .to = last / 2}}) {
      double arrived = 0;
      for (const Hop& hop : routes.between(flow).hops)
        if (topology.links[static_cast<std::size_t>(hop.link)].to == flow.to) arrived += hop.share;
      check(flow.from == flow.to || (arrived > 0.999 && arrived < 1.001));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  CheckedTopology checked =
      check_topology(std::string(reinterpret_cast<const char*>(data), size), "fuzz.json");
  if (!checked.faults.empty()) return 0;
  Topology& topology = checked.topology;
  check_routes(topology);
  constexpr std::size_t kLarge = 300;  // what would take long to search, draw and list
  if (topology.links.size() > kLarge || drawn_nodes(topology) > kLarge) return 0;
  check(to_table(topology, facts_of(topology)).ends_with("\n"));
  check(draw(topology, {}).ends_with("</svg>\n"));
  check(parse_topology(to_json(topology), "written.json") == topology);
  Topology listed = parse_topology(to_json(topology, true), "listed.json");
  listed.rule = topology.rule;
  check(listed == topology);
  return 0;
}
