// SPDX-License-Identifier: Apache-2.0
#include "models/topology/drawing.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "models/topology/generators.h"
#include "models/topology/picture.h"
#include "tests/models/sample_topologies.h"

namespace lockstep::topology {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

}  // namespace

TEST_CASE("drawing: every node has a place of its own, and every link a line",
          "[topology][drawing]") {
  for (const Rule& rule : small_rules(100)) {
    CAPTURE(name_of(rule));
    const Topology topology = generate(rule);
    const Picture picture = make_picture(topology);
    REQUIRE(picture.nodes.size() == drawn_nodes(topology));
    double closest = 1e9;
    for (std::size_t a = 0; a < picture.nodes.size(); ++a)
      for (std::size_t b = 0; b < a; ++b)
        closest = std::min(closest, std::hypot(picture.nodes[a].at.x - picture.nodes[b].at.x,
                                               picture.nodes[a].at.y - picture.nodes[b].at.y));
    CHECK(closest >= 18);  // a node is 14 pixels wide
    std::vector<bool> drawn(topology.links.size());
    for (const Picture::Line& line : picture.lines)
      for (const auto& links : {line.there, line.back})
        for (const LinkId link : links)
          drawn[static_cast<std::size_t>(link)] = true;
    CHECK(std::count(drawn.begin(), drawn.end(), true) == std::ssize(topology.links));
    std::int32_t hosts = 0;
    for (const Picture::Node& node : picture.nodes)
      hosts += node.is_host ? node.hosts : 0;
    CHECK(hosts == std::ssize(topology.hosts));
  }
}

TEST_CASE("drawing: many hosts of one switch are one node", "[topology][drawing]") {
  const Topology topology = generate(rule_of(Shape::FatTree, {8, 1}));
  const Picture picture = make_picture(topology);
  CHECK(picture.nodes.size() == 80 + 32);  // 5 · 8² / 4 switches, 8 · 4 of them with hosts
  CHECK(picture.nodes[1].label == "host4 … host7");
  CHECK(picture.nodes[1].hosts == 4);
  Topology uneven = generate(rule_of(Shape::Star, {100}));
  CHECK(drawn_nodes(uneven) == 2);
  uneven.links[7].bytes_per_second /= 10;
  CHECK(drawn_nodes(uneven) == 3);  // one host is not like the others
  CHECK(make_picture(uneven).nodes.size() == 3);
  CHECK(drawn_nodes(generate(rule_of(Shape::Ring, {1001}))) == 1001);
  CHECK(!draw(generate(rule_of(Shape::FatTree, {16, 1})), {}).empty());
}

TEST_CASE("drawing: use is colour, rate is width, names are safe", "[topology][drawing]") {
  const Topology topology = parse_topology(R"({"name": "<&>", "hosts": ["a\"<b", "c", "d"],
    "switches": ["s"], "link_defaults": {"bandwidth": "1 Gbit/s", "latency": "1 us"},
    "links": [{"from": "a\"<b", "to": "s"}, {"from": "c", "to": "s", "bandwidth": "100 Gbit/s"},
              {"from": "d", "to": "s", "reverse": {"bandwidth": "10 Gbit/s"}}]})",
                                           "t");
  const std::string plain = draw(topology, {});
  CHECK(plain.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK(plain.ends_with("</svg>\n"));
  CHECK(count(plain, "<path d=\"M") == 4 + 3);  // two cables, one in two parts; the legend's rates
  // The names of a host and of the topology, and a link's two.
  CHECK(count(plain, "a&quot;&lt;b") == 3);
  CHECK(count(plain, "&lt;&amp;&gt;") == 1);
  CHECK(count(plain, "a\"<b") == 0);
  CHECK(count(plain, "1.00 Gbit/s") == 3);  // at a, at one direction of d, in the legend
  CHECK(count(plain, "stroke-width=\"1.5\"") == 3);
  CHECK(count(plain, "stroke-width=\"5.5\"") == 2);
  CHECK(count(plain, "stroke-width=\"3.5\"") == 2);  // 10: half of the way from 1 to 100 in decades

  const std::string used = draw(topology, {1, 0.5, 0, 0, 0.25, 0.25});
  CHECK(count(used, "<path d=\"M") == 6 + 3);
  CHECK(count(used, "stroke=\"#c8102e\"") == 1);  // full
  CHECK(count(used, "stroke=\"#fdae4a\"") == 1);  // half
  CHECK(count(used, "stroke=\"#e2e2e2\"") == 2);  // unused
  CHECK(count(used, "50.0 % used") == 1);
  CHECK(count(plain, "used") == 0);
}

}  // namespace lockstep::topology
