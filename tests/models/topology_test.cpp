// SPDX-License-Identifier: Apache-2.0
#include "models/topology/topology.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>

#include "models/base/embedded.h"
#include "models/base/errors.h"
#include "models/topology/routes.h"

namespace lockstep::topology {
namespace {

std::vector<std::string> route(const Topology& topology, HostId from, HostId to) {
  Routes routes(topology);
  std::vector<std::string> names;
  for (const Hop& hop : routes.between({.from = from, .to = to}).hops)
    names.push_back(topology.link_name(hop.link));
  return names;
}

}  // namespace

TEST_CASE("topology: the ones that come with the program say what their names promise",
          "[topology]") {
  const Topology one = load_topology("one_host");
  CHECK(one.hosts.size() == 1);
  CHECK(one.links.empty());

  const Topology star = load_topology("star_8_1gbit");
  CHECK(star.hosts.size() == 8);
  REQUIRE(star.links.size() == 16);  // 8 cables, 2 directions
  for (const Link& link : star.links) {
    CHECK(link.bytes_per_second == 125e6);  // 10⁹ / 8
    CHECK(link.latency.picoseconds == 25'000'000);
    CHECK(link.header_efficiency == 1448.0 / 1538.0);
  }
  CHECK(route(star, 0, 5) == std::vector<std::string>{"host0->switch", "switch->host5"});

  const Topology racks = load_topology("two_racks_oversubscribed");
  CHECK(racks.hosts.size() == 8);
  CHECK(racks.links.size() == 18);
  CHECK(route(racks, 1, 6) ==
        std::vector<std::string>{"rack0-host1->rack0", "rack0->rack1", "rack1->rack1-host2"});
  CHECK(route(racks, 1, 3).size() == 2);
  for (const EmbeddedFile& file : embedded_topologies()) {
    const Topology topology = parse_topology(file.content, file.name);
    CHECK(topology.name + ".json" == file.name);
    CHECK(parse_topology(to_json(topology), "written") == topology);
  }
}

TEST_CASE("topology: every key of a file is kept, and survives writing and reading", "[topology]") {
  const Topology topology = parse_topology(R"({
    "name": "t",
    "hosts": [{"name": "a", "machine": "old", "speed": 0.3, "cores": 1.5, "quota_period": "20 ms"},
              {"name": "b"}],
    "switches": ["s"], "processors": 3,
    "link_defaults": {"bandwidth": "100 Mbit/s", "latency": "1 ms", "burst": "64 kB"},
    "links": [
      {"from": "a", "to": "s", "header_efficiency": "1448/1538"},
      {"from": "b", "to": "s", "duplex": false, "bandwidth": "1 GB/s", "burst": "0 B"},
      {"from": "s", "to": "b", "duplex": false, "latency": "333 ns", "header_efficiency": 0.5}
    ]})",
                                           "t.json");
  CHECK(topology.hosts[0].machine == "old");
  CHECK(topology.hosts[0].speed == 0.3);
  CHECK(topology.hosts[0].cores == 1.5);
  CHECK(topology.hosts[0].quota_period.picoseconds == 20'000'000'000);
  CHECK(topology.processors == 3);
  CHECK(topology.hosts[1].cores == 0);  // as many as the machine file says
  REQUIRE(topology.links.size() == 4);
  CHECK(topology.link_name(0) == "a->s");
  CHECK(topology.link_name(1) == "s->a");
  CHECK(topology.links[1].bytes_per_second == 12.5e6);  // 10⁸ / 8
  CHECK(topology.links[1].burst_bytes == 64'000);
  CHECK(topology.links[2].bytes_per_second == 1e9);
  CHECK(topology.links[2].burst_bytes == 0);
  CHECK(topology.links[3].latency.picoseconds == 333'000);
  CHECK(topology.links[3].payload_bytes_per_second() == 6.25e6);  // half of 12.5e6
  CHECK(parse_topology(to_json(topology), "written") == topology);
}

TEST_CASE("topology: a rule says all of it, and survives writing and reading", "[topology]") {
  const std::string cable = R"("bandwidth": "10 Gbit/s", "latency": "5 us")";
  const Topology star = parse_topology(R"({"name": "big", "generate": {"star": {"hosts": 1024,
    "burst": "1 MB", "speed": 2, "cores": 8, "quota_period": "5 ms", "machine": "fast",
    "header_efficiency": "1448/1538",
    "reverse": {"bandwidth": "1 Gbit/s", "burst": "0 B"}, )" +
                                           cable + "}}}",
                                       "t.json");
  REQUIRE(star.hosts.size() == 1024);
  CHECK(star.hosts[1023] == Host{.name = "host1023",
                                 .machine = "fast",
                                 .speed = 2,
                                 .cores = 8,
                                 .quota_period = Time::from_seconds(0.005)});
  REQUIRE(star.links.size() == 2048);
  CHECK(star.links[0].bytes_per_second == 1.25e9);
  CHECK(star.links[0].burst_bytes == 1'000'000);
  CHECK(star.links[1].bytes_per_second == 1.25e8);
  CHECK(star.links[1].burst_bytes == 0);
  CHECK(star.links[1].latency.picoseconds == 5'000'000);
  CHECK(parse_topology(to_json(star), "written") == star);

  const Topology sites = parse_topology(R"({"name": "sites", "routing": "split", "generate":
    {"two-tier": {"racks": 2, "hosts_per_rack": 2, "sites": 2, "sockets": 2,
      "socket_bandwidth": "20 GB/s", "socket_latency": "100 ns",
      "uplinks": {"bandwidth": "40 Gbit/s"},
      "backbone": {"bandwidth": "100 Mbit/s", "latency": "10 ms", "reverse": {"latency": "20 ms"}},
      )" + cable + "}}}",
                                        "t.json");
  CHECK(sites.routing == Routing::Split);
  CHECK(sites.hosts[5].name == "site1-rack0-host1");
  CHECK(sites.hosts[5].sockets == 2);
  CHECK(sites.hosts[5].socket_bytes_per_second == 20e9);
  CHECK(sites.link_name(static_cast<LinkId>(sites.links.size() - 2)) == "site1->backbone");
  CHECK(sites.links[sites.links.size() - 2].latency.picoseconds == 10'000'000'000);
  CHECK(sites.links.back().latency.picoseconds == 20'000'000'000);
  CHECK(sites.links.back().bytes_per_second == 12.5e6);
  CHECK(sites.links[16].bytes_per_second == 5e9);  // behind 8 hosts' cables: rack to site
  CHECK(parse_topology(to_json(sites), "written") == sites);

  // Listed, it is the same without its rule; changed since, it is listed.
  Topology listed = parse_topology(to_json(sites, true), "listed");
  CHECK(!listed.rule);
  listed.rule = sites.rule;
  CHECK(listed == sites);
  listed.links[3].bytes_per_second /= 3;
  const Topology changed = parse_topology(to_json(listed), "changed");
  CHECK(!changed.rule);
  CHECK(changed.links == listed.links);
}

TEST_CASE("topology: load_topology takes a name or a path and says what it cannot find",
          "[topology]") {
  const auto error = [](const std::string& name) {
    try {
      load_topology(name);
    } catch (const ConfigError& caught) {
      return std::string(caught.what());
    }
    return std::string("no error");
  };
  CHECK_THAT(error("one_hots"),
             Catch::StartsWith("one_hots: no topology has this name; did you mean "
                               "\"one_host\"?"));
  CHECK_THAT(error("no/such.json"), Catch::StartsWith("no/such.json: cannot be opened"));
  const std::string path = "topology_test_file.json";
  std::ofstream(path) << R"({"name": "mine", "hosts": [{"name": "a"}]})";
  CHECK(load_topology(path).name == "mine");
  std::remove(path.c_str());
}

}  // namespace lockstep::topology
