// SPDX-License-Identifier: Apache-2.0
// What is wrong with a topology file is said with its place: one line for each fault.
#include <catch2/catch.hpp>

#include "models/base/errors.h"
#include "models/base/random.h"
#include "models/topology/element_json.h"
#include "models/topology/topology.h"

namespace lockstep::topology {
namespace {

std::string error_of(const std::string& text) {
  try {
    parse_topology(text, "t.json");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

/// A file with two hosts a and b, a switch s, and `links`.
std::string with_links(const std::string& links) {
  return R"({"name": "t", "hosts": [{"name": "a"}, {"name": "b"}], "switches": ["s"], "links": [)" +
         links + "]}";
}

const std::string kCable = R"("bandwidth": "1 Gbit/s", "latency": "25 us"})";

}  // namespace

TEST_CASE("topology: every mistake in a file is reported with its place", "[topology]") {
  const auto check = [](const std::string& text, const std::string& expected) {
    CHECK_THAT(error_of(text), Catch::StartsWith(expected));
  };
  const std::string good =
      R"({"from": "a", "to": "s", )" + kCable + R"(, {"from": "b", "to": "s", )";
  REQUIRE(error_of(with_links(good + kCable)) == "no error");

  check(R"({"name": "t", "generate": {"two-tier": {"racks": 2, "hosts_per_rack": 2, )"
        R"("uplinks": {}, )" +
            kCable + "}}",
        "t.json: /generate/two-tier/uplinks: there are none with a single site");
  check("", "t.json: is not JSON");
  check(R"({"name": "t", "hosts": [{"name": "a")", "t.json: is not JSON");
  check("[]", "t.json: must be an object, is []");
  check("{}", "t.json: \"name\" is missing");
  check(R"({"name": "t"})", "t.json: \"hosts\" is missing");
  check(R"({"name": "t", "hosts": []})", "t.json: /hosts: must have at least one host");
  check(R"({"name": "t", "hosts": {}})", "t.json: /hosts: must be a list");
  check(R"({"name": "t", "hosts": [{}]})", "t.json: /hosts/0: \"name\" is missing");
  check(R"({"name": "t", "hosts": [{"name": ""}]})", "t.json: /hosts/0/name: must not be empty");
  check(R"({"name": "t", "host": []})", "t.json: /host: unknown key; did you mean \"hosts\"?");
  check(R"({"name": "t", "hosts": [{"name": "a", "sped": 1}]})",
        "t.json: /hosts/0/sped: unknown key; did you mean \"speed\"?");
  check(R"({"name": "t", "hosts": [{"name": "a", "speed": 0}]})",
        "t.json: /hosts/0/speed: must be");
  check(R"({"name": "t", "hosts": [{"name": "a", "cores": -2}]})",
        "t.json: /hosts/0/cores: must be");
  check(R"({"name": "t", "hosts": [{"name": "a", "cores": 1e300}]})",
        "t.json: /hosts/0/cores: must be");
  check(R"({"name": "t", "hosts": [{"name": "a", "quota_period": "5 ms"}]})",
        "t.json: /hosts/0: \"cores\" is missing");
  check(R"({"name": "t", "hosts": [{"name": "a", "cores": 1, "quota_period": "5 us"}]})",
        "t.json: /hosts/0/quota_period: must be from 1 ms to 1 s");
  check(R"({"name": "t", "hosts": [{"name": "a", "cores": 1, "quota_period": "5 ms", "sockets": 2,
            "socket_bandwidth": "1 GB/s"}]})",
        "t.json: /hosts/0/quota_period: a host with several sockets");
  check(R"({"name": "t", "hosts": ["a"], "processors": 0})", "t.json: /processors: must be");
  check(R"({"name": "t", "hosts": [{"name": "a"}, {"name": "a"}]})",
        "t.json: /hosts/1/name: the name \"a\" is taken");
  check(R"({"name": "t", "hosts": [{"name": "a"}], "switches": ["s", "a"]})",
        "t.json: /switches/1: the name \"a\" is taken");
  check(R"({"name": "t", "hosts": [{"name": "a"}], "switches": [7]})",
        "t.json: /switches/0: must be a name");
  check(R"({"name": "t", "name": "u", "hosts": [{"name": "a"}]})",
        "t.json: has the key \"name\" twice");

  check(with_links(""), "t.json: /hosts/1: no links lead from \"a\" to \"b\"");
  check(with_links(R"({"from": "a", "to": "b", "duplex": false, )" + kCable),
        "t.json: /hosts/1: no links lead from \"b\" to \"a\"");
  check(with_links(R"({"from": "a", "to": "s"})"), "t.json: /links/0: \"bandwidth\" is missing");
  check(with_links(R"({"from": "a", "to": "s", "bandwidth": "1 Gbit/s"})"),
        "t.json: /links/0: \"latency\" is missing");
  check(with_links(R"({"from": "a", "to": "a", )" + kCable),
        "t.json: /links/0/to: a link from \"a\" to itself");
  check(with_links(R"({"from": "a", "to": "bb", )" + kCable),
        "t.json: /links/0/to: no host or switch is called \"bb\"; did you mean");
  check(with_links(R"({"from": "a", "to": "s", )" + kCable + R"(, {"from": "s", "to": "a", )" +
                   kCable),
        "t.json: /links/1/to: there is a link from \"s\" to \"a\" already");

  const auto link = [&](const std::string& rest) {
    return with_links(R"({"from": "a", "to": "b", )" + rest + "}");
  };
  const std::string bandwidth = "t.json: /links/0/bandwidth: ";
  check(link(R"("bandwidth": "1", "latency": "1 us")"), bandwidth + "the unit is missing");
  check(link(R"("bandwidth": 1, "latency": "1 us")"), bandwidth + "must be a text");
  check(link(R"("bandwidth": "1 Gbps", "latency": "1 us")"), bandwidth + "unknown unit");
  check(link(R"("bandwidth": "-1 Gbit/s", "latency": "1 us")"), bandwidth + "must be positive");
  check(link(R"("bandwidth": "0 bit/s", "latency": "1 us")"), bandwidth + "must be positive");
  check(link(R"("bandwidth": "nan Gbit/s", "latency": "1 us")"), bandwidth + "expected a number");
  check(link(R"("bandwidth": "1 bit/s", "latency": "1 us")"), bandwidth + "must be at least");
  const std::string latency = "t.json: /links/0/latency: ";
  check(link(R"("bandwidth": "1 Gbit/s", "latency": "25")"), latency + "the unit is missing");
  check(link(R"("bandwidth": "1 Gbit/s", "latency": "-1 us")"), latency + "must not be negative");
  check(link(R"("bandwidth": "1 Gbit/s", "latency": "1000 s")"), latency + "must be at most 60 s");
  const std::string share = "t.json: /links/0/header_efficiency: must be a share";
  for (const char* value : {"0", "1.01", "-1", "\"1538/1448\"", "\"1/0\"", "\"0/0\"", "\"x\"",
                            "\"1448/1538 x\"", "null"})
    check(link(R"("header_efficiency": )" + std::string(value) + ", " +
               kCable.substr(0, kCable.size() - 1)),
          share);
  check(link(R"("burst": "1.5 B", )" + kCable.substr(0, kCable.size() - 1)),
        "t.json: /links/0/burst: must be a whole number");
  check(link(R"("duplex": 1, )" + kCable.substr(0, kCable.size() - 1)),
        "t.json: /links/0/duplex: must be true or false");
}

TEST_CASE("topology: mistakes in names, sockets, routes and numbers are reported with their place",
          "[topology]") {
  const auto check = [](const std::string& text, const std::string& expected) {
    CHECK_THAT(error_of(text), Catch::StartsWith("t.json: " + expected));
  };
  const auto host = [](const std::string& keys) {
    return R"({"name": "t", "hosts": [{"name": "a", )" + keys + "}]}";
  };
  REQUIRE(error_of(R"({"name": "t", "hosts": ["a"]})") == "no error");
  REQUIRE(error_of(host(R"("sockets": 2, "socket_bandwidth": "20 GB/s")")) == "no error");

  check(R"({"name": 7, "hosts": ["a"]})", "/name: must be a name, is 7");
  check(R"({"name": "t", "hosts": ["a->b"]})", "/hosts/0: a name has neither \"->\" nor control");
  check(R"({"name": "t", "hosts": ["a\nb"]})", "/hosts/0: a name has neither");
  check(R"({"name": "t", "hosts": ["a", "a"]})", "/hosts/1: the name \"a\" is taken");
  check(R"({"name": "t", "hosts": ["a", 1]})", "/hosts/1: must be an object, is 1");
  check(R"({"name": "t", "hosts": ["a"], "switches": "s"})", "/switches: must be a list");
  check(R"({"name": "t", "hosts": ["a"], "links": {}})", "/links: must be a list");
  check(R"({"name": "t", "hosts": ["a"], "links": [1]})", "/links/0: must be an object, is 1");
  check(R"({"name": "t", "hosts": ["a"], "link_defaults": []})",
        "/link_defaults: must be an object");
  check(host(R"("speed": 1e400)"), "is not JSON");
  check(host(R"("speed": NaN)"), "is not JSON");
  check(host(R"("speed": "1")"), "/hosts/0/speed: must be a number");
  check(host(R"("machine": 1)"), "/hosts/0/machine: must be a text");
  check(host(R"("sockets": 0)"), "/hosts/0/sockets: must be a whole number 1 … 64");
  check(host(R"("sockets": 65)"), "/hosts/0/sockets: must be a whole number 1 … 64");
  check(host(R"("sockets": 2)"), "/hosts/0: \"socket_bandwidth\" is missing");
  check(host(R"("socket_bandwidth": "1 GB/s")"), "/hosts/0: \"sockets\" is missing");
  check(host(R"("sockets": 2, "socket_bandwidth": "1 GB")"),
        "/hosts/0/socket_bandwidth: unknown unit");
  check(host(R"("sockets": 2, "socket_bandwidth": "1 GB/s", "socket_latency": "-1 us")"),
        "/hosts/0/socket_latency: must not be negative");

  const auto link = [](const std::string& keys) {
    return with_links(R"({"from": "a", "to": "b", )" + keys + ", " + kCable);
  };
  REQUIRE(error_of(link(R"("reverse": {"latency": "2 us"})")) == "no error");
  check(link(R"("reverse": {"latncy": "2 us"})"),
        "/links/0/reverse/latncy: unknown key; did you mean \"latency\"?");
  check(link(R"("reverse": {"bandwidth": "2"})"),
        "/links/0/reverse/bandwidth: the unit is missing");
  check(link(R"("reverse": 1)"), "/links/0/reverse: must be an object");
  check(link(R"("duplex": false, "reverse": {})"),
        "/links/0/reverse: comes with \"duplex\": false");
  check(with_links(R"({"from": "a", "to": "b", "bandwidth": "1e300 Gbit/s", "latency": "1 s"})"),
        "/links/0/bandwidth: must be below 1e18 B/s");
  check(with_links(R"({"from": "a", "to": "b", "bandwidth": "1 Gbit/s", "latency": "1e300 s"})"),
        "/links/0/latency: must be below 9e6 s");
  check(link(R"("burst": "1e300 B")"), "/links/0/burst: must be below 2^53 B");

  const auto routed = [](const std::string& keys) {
    return R"({"name": "t", "hosts": ["a", "b"], "switches": ["s", "u"],
               "link_defaults": {"bandwidth": "1 Gbit/s", "latency": "1 us"},
               "links": [{"from": "a", "to": "s"}, {"from": "b", "to": "s"},
                         {"from": "s", "to": "u"}], )" +
           keys + "}";
  };
  REQUIRE(error_of(routed(R"("routes": [["a", "s", "b"], ["b", "s", "a"]])")) == "no error");
  check(routed(R"("routing": "hsh")"),
        "/routing: must be first, hash or split, is \"hsh\"; did you mean \"hash\"?");
  check(routed(R"("routing": 1)"), "/routing: must be a text");
  check(routed(R"("routes": {})"), "/routes: must be a list");
  check(routed(R"("routes": [["a"]])"), "/routes/0: must be a list of names from host to host");
  check(routed(R"("routes": [["a", "b"]])"), "/routes/0/1: there is no link from \"a\" to \"b\"");
  check(routed(R"("routes": [["a", "s", "c"]])"), "/routes/0/2: no host or switch is called \"c\"");
  check(routed(R"("routes": [["a", 3, "b"]])"), "/routes/0/1: must be a name, is 3");
  check(routed(R"("routes": [["a", "s"]])"),
        "/routes/0/1: a route begins and ends at a host, \"s\" is a switch");
  check(routed(R"("routes": [["s", "b"]])"),
        "/routes/0/0: a route begins and ends at a host, \"s\" is a switch");
  check(routed(R"("routes": [["a", "s", "u", "s", "b"]])"),
        "/routes/0/3: the route passes \"s\" twice");
  check(routed(R"("routes": [["a", "s", "b"], ["a", "s", "b"]])"),
        "/routes/1: there is a route from \"a\" to \"b\" already");
  check(std::string(100'000, '['), "is nested deeper than 64 levels");
  check(R"({"name": "t", "hosts": )" + std::string(1000, '[') + std::string(1000, ']') + "}",
        "is nested deeper than 64 levels");
}

TEST_CASE("topology: checking tells all faults of a file, loading the first and their number",
          "[topology]") {
  const std::string text = R"({"name": "t", "hots": [], "hosts": [{"name": "a", "speed": -1,
      "cors": 2}, "b", "b"], "switches": ["s"],
    "link_defaults": {"bandwidth": "1 Gbit/s"},
    "links": [{"from": "a", "to": "x", "latency": "1"}, {"from": "b", "to": "s"}],
    "routing": "best"})";
  const CheckedTopology checked = check_topology(text, "t.json");
  const std::vector<std::string> expected{
      "/hots: unknown key; did you mean \"hosts\"?",
      "/hosts/0/cors: unknown key; did you mean \"cores\"?",
      "/hosts/0/speed: must be 0.001 … 1000.0, is -1",
      "/hosts/2: the name \"b\" is taken by another host or switch",
      "/links/0/latency: the unit is missing",
      "/links/0/to: no host or switch is called \"x\"",
      "/links/1: \"latency\" is missing",
      "/routing: must be first, hash or split, is \"best\"",
  };
  REQUIRE(checked.faults.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK_THAT(checked.faults[i], Catch::StartsWith("t.json: " + expected[i]));
  CHECK(error_of(text) == checked.faults[0] + "\n(and 7 more; lockstep topology check lists them)");
  // Nobody reads on for ever.
  std::string many = R"({"name": "t", "hosts": ["a", 1)";
  for (int i = 0; i < 10'000; ++i)
    many += ", 1";
  CHECK(check_topology(many + "]}", "t").faults.size() == Faults::kMany);
}

TEST_CASE("topology: hostile bytes are refused", "[topology]") {
  constexpr std::uint64_t kSeed = 5;
  CAPTURE(kSeed);
  Random random(kSeed);
  for (int trial = 0; trial < 2000; ++trial) {
    // Random bytes, and a good file with some of its bytes changed or left out.
    std::string text = random.below(2) == 0 ? std::string(random.below(200), ' ')
                                            : read_topology("office_and_home");
    const bool is_noise = text.empty() || text.front() == ' ';
    for (char& c : text)
      if (is_noise || random.below(100) == 0) c = static_cast<char>(random.below(256));
    if (!is_noise) text.erase(random.below(text.size()), random.below(4));
    const CheckedTopology checked = check_topology(text, "t");
    if (is_noise) CHECK(!checked.faults.empty());
    if (checked.faults.empty())
      CHECK(parse_topology(to_json(checked.topology), "again") == checked.topology);
  }
}

TEST_CASE("topology: mistakes in a rule are reported with their place", "[topology]") {
  const auto check = [](const std::string& rule, const std::string& expected) {
    CHECK_THAT(error_of(R"({"name": "t", "generate": )" + rule + "}"),
               Catch::StartsWith("t.json: /generate" + expected));
  };
  const std::string rest = R"(, "bandwidth": "1 Gbit/s", "latency": "1 us"}})";
  check(R"({"rnig": {}})", "/rnig: unknown key; did you mean \"ring\"?");
  check("{}", ": a shape is missing, such as \"star\"");
  check("[]", ": must be an object, is []");
  check(R"({"star": 8})", "/star: must be an object, is 8");
  check(R"({"star": {"hosts": 2}, "ring": {"hosts": 2)" + rest, "/ring: comes beside \"star\"");
  check(R"({"star": {"host": 2)" + rest, "/star/host: unknown key; did you mean \"hosts\"?");
  check(R"({"star": {"hosts": 0)" + rest, "/star/hosts: must be a whole number");
  check(R"({"star": {"hosts": -1)" + rest, "/star/hosts: must be a whole number");
  check(R"({"star": {"hosts": 2.5)" + rest, "/star/hosts: must be a whole number");
  check(R"({"star": {"hosts": "2")" + rest, "/star/hosts: must be a whole number");
  check(R"({"star": {"hosts": 99999999999999999999)" + rest, "/star/hosts: must be a whole number");
  check(R"({"star": {"hosts": 1000000000)" + rest, "/star/hosts: must be a whole number");
  check(R"({"star": {"hosts": 2097152)" + rest, "/star: makes 2.097e+06 hosts and switches");
  check(R"({"full-mesh": {"hosts": 10000)" + rest, "/full-mesh: makes 9.999e+07 links");
  check(R"({"fat-tree": {"k": 5)" + rest, "/fat-tree: k must be even, is 5");
  check(R"({"star": {"hosts": 2, "latency": "1 us"}})", "/star: \"bandwidth\" is missing");
  check(R"({"star": {"hosts": 2, "bandwidth": "1 Gbit/s"}})", "/star: \"latency\" is missing");
  check(R"({"star": {"hosts": 2, "reverse": {"latency": "1"})" + rest,
        "/star/reverse/latency: the unit is missing");
  check(R"({"leaf-spine": {"leaves": 2, "spines": 2, "hosts_per_leaf": 2,
            "uplinks": {"bandwith": "1 Gbit/s"})" +
            rest,
        "/leaf-spine/uplinks/bandwith: unknown key; did you mean \"bandwidth\"?");
  check(R"({"star": {"hosts": 2, "sockets": 2)" + rest, "/star: \"socket_bandwidth\" is missing");
  CHECK_THAT(
      error_of(R"({"name": "t", "hosts": [{"name": "a"}], "generate": {"star": {"hosts": 1)" +
               rest + "}"),
      Catch::StartsWith("t.json: /hosts: comes beside \"generate\""));
}

}  // namespace lockstep::topology
