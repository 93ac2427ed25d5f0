// SPDX-License-Identifier: Apache-2.0
#include "exec/testbed/testbed.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "exec/launch/control_groups.h"
#include "exec/testbed/forwarding.h"
#include "exec/testbed/link_rates.h"
#include "exec/testbed/scaled.h"
#include "models/base/errors.h"
#include "models/topology/generators.h"
#include "models/topology/routes.h"
#include "tests/models/sample_topologies.h"

namespace lockstep::exec {
namespace {

using topology::Routing;
using topology::Rule;
using topology::Shape;
using topology::Topology;

/// Three hosts: "old" at half speed, "big" with four cores.
Topology office(const std::string& more = "") {
  return topology::parse_topology(R"({"name": "office",
    "hosts": ["anna", {"name": "old", "speed": 0.5}, {"name": "big", "cores": 4}],
    "switches": ["switch"], "link_defaults": {"bandwidth": "1 Gbit/s", "latency": "25 us"},
    "links": [{"from": "anna", "to": "switch"}, {"from": "old", "to": "switch"},
              {"from": "big", "to": "switch", "bandwidth": "100 Mbit/s"}])" +
                                      more + "}",
                                  "office");
}

Topology made(const Rule& rule, Routing routing) {
  Topology topology = topology::generate(rule);
  topology.routing = routing;
  return topology;
}

std::vector<LinkId> links_of(topology::Routes& routes, HostId from, HostId to) {
  std::vector<LinkId> links;
  for (const topology::Hop& hop : routes.between({.from = from, .to = to}).hops)
    links.push_back(hop.link);
  return links;
}

}  // namespace

TEST_CASE("testbed: one factor scales all hosts to a share of the processors", "[testbed]") {
  const Scaled scaled = scale(office(), {.processors = 2, .share = 0.8}, "office");
  // Of two processors anna would have 2, old 2 · 0.5 = 1, big 4: 7 together; there are 0.8 · 2.
  const double factor = 1.6 / 7;
  CHECK(scaled.processor_factor == Approx(factor));
  CHECK(scaled.topology.hosts[0].cores == Approx(2 * factor));
  CHECK(scaled.topology.hosts[1].cores == Approx(1 * factor));
  CHECK(scaled.topology.hosts[2].cores == Approx(4 * factor));
  for (const topology::Host& host : scaled.topology.hosts)
    CHECK(host.speed == 1);
  // A machine with processors to spare doesn't make hosts larger than they are: 64 + 32 + 4 = 100.
  const Scaled spare = scale(office(), {.processors = 64, .share = 1}, "office");
  CHECK(spare.processor_factor == Approx(64.0 / 100));
  CHECK(scale(made(topology::rule_of(Shape::OneHost, {}), Routing::First),
              {.processors = 4, .share = 1}, "one")
            .processor_factor == 1);
}

TEST_CASE("testbed: links have the kernel's headers, no latency, and a bucket", "[testbed]") {
  const Scaled scaled = scale(office(), {.processors = 2, .bandwidth_factor = 0.1}, "office");
  // 100 Mbit/s is 12.5 MB/s, 2 ms of which are 25 kB: less than the largest packet needs.
  const topology::Link& anna = scaled.topology.links[0];
  CHECK(anna.bytes_per_second == Approx(1.25e7));
  CHECK(anna.burst_bytes == 72'000);
  CHECK(anna.latency == Time{});
  CHECK(anna.header_efficiency == Approx(1448.0 / 1514));
  CHECK(scaled.topology.links[4].bytes_per_second == Approx(1.25e6));
  CHECK(scaled.cautions.size() == 1);  // of the latency
  // What is stored says all of it.
  CHECK(topology::parse_topology(to_json(scaled.topology), "scaled") == scaled.topology);
}

TEST_CASE("testbed: what cannot be built is refused", "[testbed]") {
  const Topology star = made(topology::rule_of(Shape::Star, {200}), Routing::First);
  CHECK_THROWS_WITH(scale(star, {.processors = 2}, "star"),
                    Catch::StartsWith("star: 200 hosts are too many for this machine's 2"));
  const Rule fabric = topology::rule_of(Shape::LeafSpine, {2, 2, 2});
  CHECK_THROWS_WITH(scale(made(fabric, Routing::Split), {.processors = 8}, "fabric"),
                    Catch::StartsWith("fabric: routing \"split\" cannot be built"));
  CHECK_NOTHROW(scale(office(R"(, "routing": "split")"), {.processors = 8}, "office"));
  Topology named = office();
  named.hosts[1].name.assign(65, 'x');
  CHECK_THROWS_WITH(scale(named, {.processors = 2}, "named"), Catch::Contains("too long"));
}

TEST_CASE("testbed: a quota is exact and its turns are at least 1 ms", "[testbed]") {
  for (const double cores : {0.01, 0.0123, 0.1, 0.2, 0.228, 0.4, 1.0, 1.6, 63.9}) {
    const Quota quota = quota_of(cores);
    CAPTURE(cores, quota.microseconds, quota.period_microseconds);
    CHECK(quota.microseconds >= 1000);
    CHECK(quota.period_microseconds >= 5000);
    CHECK(quota.period_microseconds <= 100'000);
    CHECK(static_cast<double>(quota.microseconds) /
              static_cast<double>(quota.period_microseconds) ==
          Approx(cores).epsilon(1e-3));
  }
}

TEST_CASE("testbed: packets that follow the tables take the routes", "[testbed]") {
  for (const Rule& rule : topology::small_rules(12))
    for (const Routing routing : {Routing::First, Routing::Hash}) {
      CAPTURE(topology::name_of(rule), name_of(routing));
      const Topology original = made(rule, routing);
      const Topology built = scale(original, {.processors = 64}, "built").topology;
      const std::vector<ForwardingTable> tables = forwarding_tables(built);
      topology::Routes routes(original);
      const auto hosts = static_cast<HostId>(built.hosts.size());
      for (HostId from = 0; from < hosts; ++from)
        for (HostId to = 0; to < hosts; ++to) {
          std::vector<LinkId> taken;
          for (std::int32_t node = from; node != to;) {
            const ForwardingTable& table = tables[static_cast<std::size_t>(node)];
            const auto usual = std::find_if(table.usual.begin(), table.usual.end(),
                                            [&](const NextLink& next) { return next.to == to; });
            REQUIRE(usual != table.usual.end());
            LinkId link = usual->link;
            for (const Exception& exception : table.exceptions)
              if (exception.from == from && exception.to == to) link = exception.link;
            taken.push_back(link);
            node = built.links[static_cast<std::size_t>(link)].to;
          }
          std::vector<LinkId> expected;
          for (const topology::Hop& hop :
               routes.between({.from = from, .to = to, .sender = from, .receiver = to}).hops)
            expected.push_back(hop.link);
          REQUIRE(taken == expected);
        }
    }
}

namespace {

/// Whether this machine can do it; tests that need it end quietly where it can't.
bool can_build() {
  static const bool can = [] {
    try {
      const Topology one = made(topology::rule_of(Shape::OneHost, {}), Routing::First);
      const Scaled scaled = scale(one, {.processors = 1}, "one");
      const Testbed testbed(scaled.topology, true);
      return true;
    } catch (const ConfigError& error) {
      WARN("skipped: " << error.what());
      return false;
    }
  }();
  return can;
}

/// From one host to another, and waits until it is there.
void carry(const Testbed& testbed, HostId from, HostId to, std::size_t bytes) {
  const int listener = testbed.listen(to, address_of(to));
  const int sender = testbed.connect(from, address_of(from), listener);
  const int receiver = ::accept(listener, nullptr, nullptr);
  const std::vector<char> zeros(bytes);
  REQUIRE(::send(sender, zeros.data(), bytes, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes));
  std::vector<char> received(bytes);
  CHECK(::recv(receiver, received.data(), bytes, MSG_WAITALL) == static_cast<ssize_t>(bytes));
  for (const int socket : {receiver, sender, listener})
    ::close(socket);
}

std::vector<std::uint64_t> counters(const Testbed& testbed) {
  std::vector<std::uint64_t> bytes;
  for (LinkId link = 0; link < std::ssize(testbed.topology().links); ++link)
    bytes.push_back(testbed.bytes_sent(link));
  return bytes;
}

timespec now(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return time;
}

double seconds_since(const timespec& begin, clockid_t clock) {
  const timespec end = now(clock);
  return static_cast<double>(end.tv_sec - begin.tv_sec) +
         1e-9 * static_cast<double>(end.tv_nsec - begin.tv_nsec);
}

void check_real_routes(const Topology& original) {
  const Scaled scaled = scale(original, {.processors = 64}, "built");
  const Testbed testbed(scaled.topology, false);
  topology::Routes routes(scaled.topology);
  constexpr std::size_t kBytes = 40'000;
  const auto hosts = static_cast<HostId>(scaled.topology.hosts.size());
  for (HostId from = 0; from < hosts; ++from)
    for (HostId to = 0; to < hosts; ++to) {
      if (from == to) continue;
      const std::vector<std::uint64_t> before = counters(testbed);
      carry(testbed, from, to, kBytes);
      const std::vector<std::uint64_t> after = counters(testbed);
      const std::vector<LinkId> there = links_of(routes, from, to);
      const std::vector<LinkId> back = links_of(routes, to, from);
      for (std::size_t link = 0; link < after.size(); ++link) {
        const std::uint64_t bytes = after[link] - before[link];
        const auto is_in = [&](const std::vector<LinkId>& links) {
          return std::find(links.begin(), links.end(), static_cast<LinkId>(link)) != links.end();
        };
        CAPTURE(from, to, scaled.topology.link_name(static_cast<LinkId>(link)), bytes);
        if (is_in(there))
          CHECK(bytes > kBytes);
        else if (is_in(back))
          CHECK((bytes > 0 && bytes < kBytes / 2));  // acknowledgements
        else
          CHECK(bytes == 0);
      }
    }
}

}  // namespace

TEST_CASE("testbed: real bytes take the predicted links", "[testbed]") {
  if (!can_build()) return;
  check_real_routes(made(topology::rule_of(Shape::Ring, {5}), Routing::First));
  check_real_routes(made(topology::rule_of(Shape::Torus2d, {2, 3}), Routing::First));
  check_real_routes(made(topology::rule_of(Shape::LeafSpine, {2, 3, 2}), Routing::Hash));
  // Routes of their own: a to c the long way round, c to a the short one; and one-way cables.
  check_real_routes(topology::parse_topology(R"({"name": "own", "hosts": ["a", "b", "c", "d"],
    "link_defaults": {"bandwidth": "1 Gbit/s", "latency": "0 us"},
    "links": [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}, {"from": "c", "to": "d"},
              {"from": "d", "to": "a", "duplex": false}, {"from": "a", "to": "c"}],
    "routes": [["a", "b", "c"], ["b", "c", "d", "a"]]})",
                                             "own"));
}

TEST_CASE("testbed: links carry their rate, each direction its own", "[testbed]") {
  if (!can_build()) return;
  const Topology cable = topology::parse_topology(R"({"name": "cable", "hosts": ["a", "b"],
    "links": [{"from": "a", "to": "b", "bandwidth": "80 Mbit/s", "latency": "0 us",
               "reverse": {"bandwidth": "20 Mbit/s"}}]})",
                                                  "cable");
  const Scaled scaled = scale(cable, {.processors = 2}, "cable");
  const Testbed testbed(scaled.topology, false);
  CHECK(verify_links(testbed, 0.25) < 0.25);
  // A topology that promises more than was built is found out.
  Topology promised = scaled.topology;
  const Testbed built(promised, false);
  promised.links[1].bytes_per_second *= 2;
  CHECK_THROWS_WITH(verify_links(built, 0.25), Catch::Contains("link b->a carries"));
}

TEST_CASE("testbed: a process that enters a host has its name and its quota", "[testbed]") {
  if (!can_build()) return;
  const Scaled scaled = scale(office(), {.processors = 2}, "office");
  const Testbed testbed(scaled.topology, true);
  const pid_t child = ::fork();
  if (child == 0) {
    char name[65] = "";
    const bool entered = testbed.enter(1) && ::gethostname(name, sizeof name) == 0;
    if (!entered || std::string(name) != "old" || !has_processor_quota()) ::_exit(1);
    // Busy for half a second, it gets no more than its cores are worth: 1.6 / 7 of that, and what
    // the kernel hands out between two looks at its clock. How much less says the machine's load.
    const timespec began = now(CLOCK_MONOTONIC);
    while (seconds_since(began, CLOCK_MONOTONIC) < 0.5) {
    }
    const double used = seconds_since({0, 0}, CLOCK_PROCESS_CPUTIME_ID);
    ::_exit(used < 1.3 * 0.5 * scaled.topology.hosts[1].cores ? 0 : 2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(WIFEXITED(status));
}

}  // namespace lockstep::exec
