// SPDX-License-Identifier: Apache-2.0
#include "models/topology/placement.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>
#include <numeric>

#include "models/base/errors.h"

namespace lockstep::topology {
namespace {

Topology three_hosts() {
  Topology topology;
  topology.name = "three";
  topology.hosts = {{.name = "anna"}, {.name = "bert"}, {.name = "carl"}};
  return topology;
}

std::vector<HostId> placed(std::int32_t ranks, const Placement& placement) {
  return place(three_hosts(), ranks, placement, "job.json: /placement");
}

std::string error_of(std::int32_t ranks, const std::vector<std::string>& hosts) {
  try {
    placed(ranks, {PlacementKind::Listed, hosts});
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("placement: packed fills host by host, scattered goes round", "[topology][placement]") {
  using Hosts = std::vector<HostId>;
  const Placement packed{PlacementKind::Packed, {}};
  const Placement scattered{PlacementKind::Scattered, {}};
  CHECK(placed(8, packed) == Hosts{0, 0, 0, 1, 1, 1, 2, 2});  // 3 + 3 + 2
  CHECK(placed(6, packed) == Hosts{0, 0, 1, 1, 2, 2});
  CHECK(placed(2, packed) == Hosts{0, 1});
  CHECK(placed(7, scattered) == Hosts{0, 1, 2, 0, 1, 2, 0});
  CHECK(placed(0, packed).empty());
}

TEST_CASE("placement: a listed one is taken as it is, or refused with the rank that is wrong",
          "[topology][placement]") {
  CHECK(placed(4, {PlacementKind::Listed, {"carl", "anna", "carl", "bert"}}) ==
        std::vector<HostId>{2, 0, 2, 1});
  CHECK(error_of(2, {"anna"}) == "job.json: /placement: names the hosts of 1 ranks, expected 2");
  CHECK(error_of(2, {"anna", "brt"}) ==
        "job.json: /placement: rank 1 is placed on \"brt\", which is no host of topology "
        "\"three\"; did you mean \"bert\"?");
}

TEST_CASE("placement: a file lists the hosts of all ranks", "[topology][placement]") {
  const std::string path = "placement_test_file.json";
  const auto load = [&](const std::string& text) {
    std::ofstream(path) << text;
    return load_placement(path);
  };
  CHECK(load(R"(["bert", "anna"])") == Placement{PlacementKind::Listed, {"bert", "anna"}});
  CHECK_THROWS_WITH(load("{}"), Catch::StartsWith(path + ": must be a list"));
  CHECK_THROWS_WITH(load(R"(["bert", 7])"), path + ": /1: must be a name, is 7");
  CHECK_THROWS_WITH(load("["), Catch::StartsWith(path + ": is not JSON"));
  std::remove(path.c_str());
}

TEST_CASE("placement: ranks cut a host's cores into blocks, over its sockets",
          "[topology][placement]") {
  using Shares = std::vector<double>;
  CHECK(socket_shares(0, 1, 1) == Shares{1});
  CHECK(socket_shares(4, 7, 1) == Shares{1});
  CHECK(socket_shares(0, 1, 2) == Shares{0.5, 0.5});
  CHECK(socket_shares(0, 2, 2) == Shares{1, 0});
  CHECK(socket_shares(1, 2, 2) == Shares{0, 1});
  // Three ranks on two sockets: the middle one has the end of one and the beginning of the other.
  CHECK(socket_shares(0, 3, 2) == Shares{1, 0});
  CHECK(socket_shares(1, 3, 2) == Shares{0.5, 0.5});
  CHECK(socket_shares(2, 3, 2) == Shares{0, 1});
  // Each rank has all of its cores, and each socket is given away whole.
  for (std::int32_t ranks = 1; ranks <= 9; ++ranks)
    for (std::int32_t sockets = 1; sockets <= 5; ++sockets) {
      CAPTURE(ranks, sockets);
      Shares taken(static_cast<std::size_t>(sockets));
      for (std::int32_t rank = 0; rank < ranks; ++rank) {
        const Shares shares = socket_shares(rank, ranks, sockets);
        CHECK(std::accumulate(shares.begin(), shares.end(), 0.0) == Approx(1));
        for (std::size_t socket = 0; socket < taken.size(); ++socket)
          taken[socket] += shares[socket];
      }
      for (const double share : taken)
        CHECK(share == Approx(static_cast<double>(ranks) / sockets));
    }
}

TEST_CASE("groups: hosts, racks or consecutive ranks, numbered by their first ranks",
          "[topology][placement]") {
  // Two racks of four hosts.
  const Topology racks = load_topology("two_racks_oversubscribed");
  using Hosts = std::vector<HostId>;
  using Groups = std::vector<std::int32_t>;
  using enum GroupBy::Kind;
  REQUIRE(racks.hosts.size() == 8);
  const Hosts one_each = place(racks, 8, {PlacementKind::Scattered, {}}, "test");
  CHECK(group_ranks(racks, one_each, {Host}) == Groups{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(group_ranks(racks, one_each, {Rack}) == Groups{0, 0, 0, 0, 1, 1, 1, 1});
  CHECK(group_ranks(racks, one_each, {Consecutive, 3}) == Groups{0, 0, 0, 1, 1, 1, 2, 2});
  const Hosts mixed{5, 0, 5, 7, 0};
  CHECK(group_ranks(racks, mixed, {Host}) == Groups{0, 1, 0, 2, 1});
  CHECK(group_ranks(racks, mixed, {Rack}) == Groups{0, 1, 0, 0, 1});
  // A host without cables is a rack of its own.
  const Topology alone = load_topology("one_host");
  CHECK(group_ranks(alone, place(alone, 3, {}, "test"), {Rack}) == Groups{0, 0, 0});
}

}  // namespace lockstep::topology
