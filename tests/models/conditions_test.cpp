// SPDX-License-Identifier: Apache-2.0
#include "models/conditions/conditions.h"

#include <catch2/catch.hpp>

#include "models/base/errors.h"

namespace lockstep::conditions {
namespace {

topology::Topology star() {
  return topology::parse_topology(
      R"({"name": "s", "hosts": ["a", "b", "c"], "switches": ["x"],
          "link_defaults": {"bandwidth": "1 Gbit/s", "latency": "25 us"},
          "links": [{"from": "a", "to": "x"}, {"from": "b", "to": "x"},
                    {"from": "c", "to": "x", "burst": "64 kB"}]})",
      "star");
}

/// Of three ranks with 30 images.
Conditions parse(const std::string& text) {
  return parse_conditions(text, "c.json", star(), 3, 30);
}

std::string error_of(const std::string& text) {
  try {
    parse(text);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("conditions: read, written and read again they are the same", "[conditions]") {
  CHECK(parse("{}").is_empty());
  const std::string rank = R"({"compute_jitter": 0.05,
      "stragglers": [{"rank": 2, "factor": 2}, {"factor": 1.1, "probability": 0.001}],
      "traffic": [{"link": "a->x", "share": 0.5},
                  {"link": "x->a", "share": 0.3, "on": "10 ms", "off": "90 us"}],
      "failure": {"rank": 1, "at": "20 s", "then": "shrink", "detection": "5 s",
                  "restart": "0 s"}})";
  const std::string link = R"({"batches": [1, 9, 20],
      "failure": {"link": "b->x", "at": "0.1 s", "then": "wait", "lasts": "3 ms"}})";
  const std::string end = R"({"failure": {"rank": 0, "at": "3 s", "then": "abort",
                                          "detection": "0.1 s"}})";
  const auto parse_in_ring = [](const std::string& text) {
    return parse_conditions(text, "c.json", topology::load_topology("ring_8_10gbit"), 3, 30);
  };
  const Conditions rerouted = parse_in_ring(R"({"failure": {"link": "host0->host1", "at": "2 s",
      "then": "reroute", "detection": "0.5 s"}})");
  CHECK(rerouted.failure->reaction == Reaction::Reroute);
  CHECK(parse_in_ring(to_json(rerouted, topology::load_topology("ring_8_10gbit"))) == rerouted);
  const std::string others = R"({"jobs": [
      {"job": {"network": "lenet5", "ranks": 2, "placement": ["a", "b"]}, "start": "20 ms"},
      {"job": {"batch": 32, "algorithm": "double-tree", "seed": 9}}, {"job": {}}]})";
  for (const std::string& text : {rank, link, end, others}) {
    const Conditions conditions = parse(text);
    CHECK_FALSE(conditions.is_empty());
    CHECK(parse(to_json(conditions, star())) == conditions);
  }
  const Conditions first = parse(rank);
  CHECK(first.stragglers[0] == Straggler{2, 2, 1});
  CHECK(first.stragglers[1] == Straggler{kAll, 1.1, 0.001});
  CHECK(first.traffic[1] == Traffic{1, 0.3, 0.01, 90e-6});
  CHECK(first.is_random());
  CHECK_FALSE(parse(link).is_random());
  const std::vector<OtherJob> jobs = parse(others).jobs;
  CHECK(jobs[0].start_seconds == 0.02);
  CHECK(jobs[1].job.batch == 32);
  // Those that say no seed have each another, and not the job's own 1.
  CHECK(jobs[0].job.seed == 2);
  CHECK(jobs[1].job.seed == 9);
  CHECK(jobs[2].job.seed == 4);
  // Without rank 1 the last one is rank 1.
  CHECK(without_rank(first, 1).stragglers[0] == Straggler{1, 2, 1});
  CHECK_FALSE(without_rank(first, 1).failure);
  CHECK(without_rank(first, 2).stragglers.size() == 1);
}

TEST_CASE("conditions: every mistake in a file is reported with its place", "[conditions]") {
  const auto check = [](const std::string& text, const std::string& expected) {
    CHECK_THAT(error_of(text), Catch::StartsWith(expected));
  };
  check("", "c.json: is not JSON");
  check("[]", "c.json: must be an object");
  check(R"({"stragler": []})", "c.json: /stragler: unknown key; did you mean \"stragglers\"?");
  check(R"({"failure": {"rank": 0, "at": "1 s", "then": "reroute", "detection": "1 s"}})",
        "c.json: /failure/then: only a link can be gone round, not a rank");
  check(R"({"failure": {"link": "a->x", "at": "1 s", "then": "reroute", "detection": "1 s"}})",
        "c.json: /failure/then: there is no other way from \"a\" to \"x\"");
  check(R"({"jobs": {}})", "c.json: /jobs: must be a list");
  check(R"({"jobs": [{}]})", "c.json: /jobs/0: \"job\" is missing");
  check(R"({"jobs": [{"job": 3}]})", "c.json: /jobs/0/job: must be an object");
  check(R"({"jobs": [{"job": {"rank": 3}}]})",
        "c.json: /jobs/0/job: /rank: unknown key; did you mean \"ranks\"?");
  check(R"({"jobs": [{"job": {"topology": "one_host"}}]})",
        "c.json: /jobs/0/job/topology: cannot be given: jobs share the topology");
  check(R"({"jobs": [{"job": {}}, {"job": {}, "start": "601 s"}]})",
        "c.json: /jobs/1/start: must be at most 600 s");
  check(R"({"jobs": [{"job": {}, "start": "-1 s"}]})",
        "c.json: /jobs/0/start: must not be negative");
  check(R"({"jobs": [{"job": {}}], "failure": {"rank": 0, "at": "1 s", "then": "wait",
                                             "lasts": "1 s"}})",
        "c.json: /jobs: cannot be given together with a failure");
  check(R"({"compute_jitter": -1})", "c.json: /compute_jitter: must be");
  check(R"({"compute_jitter": 1e999})", "c.json: ");
  check(R"({"stragglers": {}})", "c.json: /stragglers: must be a list");
  check(R"({"stragglers": [{}]})", "c.json: /stragglers/0: \"factor\" is missing");
  check(R"({"stragglers": [{"factor": 0}]})", "c.json: /stragglers/0/factor: must be");
  check(R"({"stragglers": [{"factor": "2"}]})", "c.json: /stragglers/0/factor: must be");
  check(R"({"stragglers": [{"factor": 2, "rank": 3}]})", "c.json: /stragglers/0/rank: must be");
  check(R"({"stragglers": [{"factor": 2, "probability": 2}]})",
        "c.json: /stragglers/0/probability: must be");
  check(R"({"traffic": [{"link": "a-x", "share": 0.5}]})",
        "c.json: /traffic/0/link: topology \"s\" has no link \"a-x\"; did you mean \"a->x\"?");
  check(R"({"traffic": [{"link": "a->x", "share": 1}]})", "c.json: /traffic/0/share: must be");
  check(R"({"traffic": [{"link": "a->x", "share": 0.6}, {"link": "a->x", "share": 0.6}]})",
        "c.json: /traffic: more than 99.9 % of link \"a->x\"");
  check(R"({"traffic": [{"link": "all", "share": 0.1}]})",
        "c.json: /traffic: link \"c->x\" has a burst");
  check(R"({"traffic": [{"link": "a->x", "share": 0.5, "on": "1 s"}]})",
        "c.json: /traffic/0: \"on\" and \"off\" go together");
  check(R"({"traffic": [{"link": "a->x", "share": 0.5, "on": "1 ps", "off": "1 s"}]})",
        "c.json: /traffic/0/on: must be from");
  check(R"({"traffic": [{"link": "a->x", "share": 0.5, "on": 3, "off": "1 s"}]})",
        "c.json: /traffic/0/on: must be");
  check(R"({"batches": [10, 20]})",
        "c.json: /batches: expected a list with the images of each of 3");
  check(R"({"batches": [10, 10, 0]})", "c.json: /batches/2: must be");
  check(R"({"batches": [10, 10, 11]})", "c.json: /batches: must add up to the batch, 30, is 31");
  const auto failure = [&](const std::string& rest, const std::string& expected) {
    check("{\"failure\": {" + rest + "}}", "c.json: /failure" + expected);
  };
  failure(R"("at": "1 s", "then": "abort")", ": expected one of \"rank\" and \"link\"");
  failure(R"("rank": 1, "link": "a->x", "at": "1 s", "then": "abort")", ": expected one of");
  failure(R"("rank": 1, "then": "abort")", ": \"at\" is missing");
  failure(R"("rank": 1, "at": "-1 s", "then": "abort")", "/at: must not be negative");
  failure(R"("rank": 1, "at": "1", "then": "abort")", "/at: ");
  failure(R"("rank": 1, "at": "1 s", "then": "go")",
          "/then: must be wait, abort, shrink or reroute");
  failure(R"("rank": 1, "at": "1 s", "then": "wait")", ": \"lasts\" is missing");
  failure(R"("rank": 1, "at": "1 s", "then": "wait", "lasts": "0 s")", "/lasts: must be from");
  failure(R"("rank": 1, "at": "1 s", "then": "abort", "detection": "1 s", "lasts": "1 s")",
          "/lasts: means nothing to a job that would abort");
  failure(R"("rank": 1, "at": "1 s", "then": "abort")", ": \"detection\" is missing");
  failure(R"("link": "a->x", "at": "1 s", "then": "shrink", "detection": "1 s", "restart": "1 s")",
          "/then: only a rank can be left behind");
  failure(R"("link": "c->x", "at": "1 s", "then": "wait", "lasts": "1 s")",
          ": link \"c->x\" has a burst");
  check(R"({"batches": [10, 10, 10], "failure": {"rank": 1, "at": "1 s", "then": "shrink",
            "detection": "1 s", "restart": "1 s"}})",
        "c.json: /batches: what the others take");
}

}  // namespace lockstep::conditions
