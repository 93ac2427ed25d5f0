// SPDX-License-Identifier: Apache-2.0
// The job file: what may be left out, what may not be said, and that it repeats itself.
#include "models/training/job_json.h"

#include <catch2/catch.hpp>

#include "models/base/errors.h"

using namespace lockstep;
using namespace lockstep::training;

namespace {

std::string error_of(const std::string& text) {
  try {
    parse_job(text, "job.json");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

std::string flag_error(const std::string& key, const std::string& value) {
  try {
    Job job;
    set_field(job, key, value, "--flag");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

/// No field has its default.
Job unusual_job() {
  Job job;
  job.network = "lenet5";
  job.ranks = 3;
  job.batch = 96;
  job.threads = 2;
  job.iterations = 1000;
  job.algorithm = collectives::Algorithm::RecursiveDoubling;
  job.bucket_bytes = 123;
  job.buckets_in_flight = 7;
  job.segment_bytes = 4096;
  job.overlap = false;
  job.group_by = {topology::GroupBy::Kind::Consecutive, 4};
  job.servers = 2;
  job.learning_rate = 0.1 + 0.2;  // 0.30000000000000004: every digit counts
  job.momentum = 0;
  job.update = {network::Optimizer::Lamb, 1e-4, 0.98, 1e-6, 0.02};
  job.rate = {RatePolicy::Polynomial, RateScaling::SquareRoot, 32, 7, {10, 20}, 0.5, 0.25, 2};
  job.topology = "dir/a \"b\".json";
  job.placement.kind = topology::PlacementKind::Scattered;
  job.fidelity = Fidelity::Ideal;
  job.data = "/data";
  job.seed = UINT64_MAX;
  return job;
}

}  // namespace

TEST_CASE("job: an empty object is the default job", "[training]") {
  CHECK(to_json(parse_job("{}", "job.json")) == to_json(Job{}));
}

TEST_CASE("job: what is written reads back field by field", "[training]") {
  const Job job = unusual_job();
  const Job back = parse_job(to_json(job), "job.json");
  CHECK(back.network == job.network);
  CHECK(back.ranks == job.ranks);
  CHECK(back.batch == job.batch);
  CHECK(back.threads == job.threads);
  CHECK(back.iterations == job.iterations);
  CHECK(back.algorithm == job.algorithm);
  CHECK(back.bucket_bytes == job.bucket_bytes);
  CHECK(back.buckets_in_flight == job.buckets_in_flight);
  CHECK(back.segment_bytes == job.segment_bytes);
  CHECK(back.overlap == job.overlap);
  CHECK(back.group_by == job.group_by);
  CHECK(back.servers == job.servers);
  CHECK(back.learning_rate == job.learning_rate);
  CHECK(back.momentum == job.momentum);
  CHECK(back.update.optimizer == job.update.optimizer);
  CHECK(back.update.weight_decay == job.update.weight_decay);
  CHECK(back.update.beta2 == job.update.beta2);
  CHECK(back.update.epsilon == job.update.epsilon);
  CHECK(back.update.trust == job.update.trust);
  CHECK(back.rate.policy == job.rate.policy);
  CHECK(back.rate.scaling == job.rate.scaling);
  CHECK(back.rate.base_batch == job.rate.base_batch);
  CHECK(back.rate.warm_up == job.rate.warm_up);
  CHECK(back.rate.drops == job.rate.drops);
  CHECK(back.rate.drop_factor == job.rate.drop_factor);
  CHECK(back.rate.end == job.rate.end);
  CHECK(back.rate.power == job.rate.power);
  CHECK(back.topology == job.topology);
  CHECK(back.placement == job.placement);
  CHECK(back.fidelity == job.fidelity);
  CHECK(back.data == job.data);
  CHECK(back.seed == job.seed);
  CHECK(to_json(back) == to_json(job));
}

TEST_CASE("job: fields that are left out keep their defaults", "[training]") {
  const Job job = parse_job(R"({"ranks": 4, "algorithm": "recursive-doubling"})", "job.json");
  Job expected;
  expected.ranks = 4;
  expected.algorithm = collectives::Algorithm::RecursiveDoubling;
  CHECK(to_json(job) == to_json(expected));
}

TEST_CASE("job: sizes are whole bytes or texts with a unit", "[training]") {
  CHECK(parse_job(R"({"bucket_bytes": "4 MiB"})", "f").bucket_bytes == 4u << 20);
  CHECK(parse_job(R"({"bucket_bytes": 4000000})", "f").bucket_bytes == 4000000);
  CHECK(parse_job(R"({"segment_bytes": "64 kB"})", "f").segment_bytes == 64000);
  CHECK(parse_job(R"({"segment_bytes": 0})", "f").segment_bytes == 0);
  CHECK(error_of(R"({"bucket_bytes": "4 Mib"})")
            .starts_with("job.json: /bucket_bytes: unknown unit"));
  CHECK(error_of(R"({"bucket_bytes": -1})") ==
        "job.json: /bucket_bytes: must be a whole number of at least 0, is -1");
  CHECK(error_of(R"({"bucket_bytes": 0})") ==
        "job.json: /bucket_bytes: must be at least 1 B, is 0 B");
  CHECK(error_of(R"({"segment_bytes": "3 B"})") ==
        "job.json: /segment_bytes: must be at least 4 B, or 0 for whole chunks, is 3 B");
}

TEST_CASE("job: a value out of range is an error that names the field", "[training]") {
  CHECK(error_of(R"({"batch": 0})") ==
        "job.json: /batch: must be a whole number of at least 1, is 0");
  CHECK(error_of(R"({"ranks": 0})") ==
        "job.json: /ranks: must be a whole number 1 … 1048576, is 0");
  CHECK(error_of(R"({"ranks": 1048576})") == "no error");
  CHECK(error_of(R"({"ranks": 1048577})") ==
        "job.json: /ranks: must be a whole number 1 … 1048576, is 1048577");
  CHECK(error_of(R"({"threads": 0})") ==
        "job.json: /threads: must be a whole number 1 … 4096, is 0");
  CHECK(error_of(R"({"iterations": -1})") ==
        "job.json: /iterations: must be a whole number of at least 0, is -1");
  CHECK(error_of(R"({"learning_rate": 0})") == "job.json: /learning_rate: must be positive, is 0");
  CHECK(error_of(R"({"learning_rate": -0.5})") ==
        "job.json: /learning_rate: must be positive, is -0.5");
  CHECK(error_of(R"({"momentum": 1})") ==
        "job.json: /momentum: must be at least 0 and below 1, is 1");
  CHECK(error_of(R"({"momentum": 0})") == "no error");
  CHECK(
      error_of(R"({"optimizer": "larz"})") ==
      "job.json: /optimizer: must be one of sgd, nesterov, lars, lamb, adam, is \"larz\"; did you "
      "mean \"lars\"?");
  CHECK(error_of(R"({"rate_drops": [20, 10]})") ==
        "job.json: /rate_drops: must be a whole number of at least 20, is 10");
  CHECK(error_of(R"({"rate_drops": 20})") ==
        "job.json: /rate_drops: must be a list of iterations, is 20");
  CHECK(error_of(R"({"overlap": "on"})") == "job.json: /overlap: must be true or false, is \"on\"");
  CHECK(error_of(R"({"network": 5})") == "job.json: /network: must be a text, is 5");
  CHECK(error_of(R"({"seed": -1})") ==
        "job.json: /seed: must be a whole number of at least 0, is -1");
  CHECK(error_of(R"({"fidelity": "flaw"})") ==
        "job.json: /fidelity: must be one of ideal, flow, packet, is \"flaw\"; did you mean "
        "\"flow\"?");
  CHECK(error_of(R"({"placement": "random"})") ==
        "job.json: /placement: must be one of packed, scattered, is \"random\"");
  CHECK_THAT(error_of(R"({"algorithm": "rong"})"),
             Catch::StartsWith("job.json: /algorithm: ") && Catch::Contains("ring"));
}

TEST_CASE("job: a placement may list the host of each rank", "[training]") {
  Job job = parse_job(R"({"placement": ["b", "a", "b"]})", "f");
  CHECK(job.placement == topology::Placement{topology::PlacementKind::Listed, {"b", "a", "b"}});
  CHECK(parse_job(to_json(job), "f").placement == job.placement);
  set_field(job, "placement", "packed", "--placement");
  CHECK(job.placement == topology::Placement{});
  CHECK(error_of(R"({"placement": ["a", 1]})") == "job.json: /placement/1: must be a text, is 1");
  CHECK(error_of(R"({"placement": {}})") == "job.json: /placement: must be a text, is {}");
}

TEST_CASE("job: groups are hosts, racks, or so many ranks", "[training]") {
  using enum topology::GroupBy::Kind;
  CHECK(parse_job(R"({"group_by": "rack"})", "f").group_by == topology::GroupBy{Rack});
  CHECK(parse_job(R"({"group_by": 4})", "f").group_by == topology::GroupBy{Consecutive, 4});
  Job job;
  for (const std::string text : {"4", "host", "rack", "12"}) {  // from a number to a word and back
    set_field(job, "group_by", text, "--group-by");
    CHECK(name_of(job.group_by) == text);
  }
  CHECK(error_of(R"({"group_by": 0})") ==
        "job.json: /group_by: must be a whole number 1 … 1048576, is 0");
  CHECK(error_of(R"({"group_by": 1.5})") ==
        "job.json: /group_by: must be host, rack or a number of ranks, is 1.5");
  CHECK(flag_error("group_by", "hots") ==
        "--flag: must be host, rack or a number of ranks, is \"hots\"");
  CHECK(flag_error("group_by", "0") == "--flag: must be a whole number 1 … 1048576, is 0");
  CHECK(flag_error("servers", "-1") == "--flag: must be a whole number 0 … 1048576, is -1");
}

TEST_CASE("job: an algorithm is told with the choices that it depends on", "[training]") {
  Job job;
  job.servers = 2;
  CHECK(algorithm_of(job) == "ring");
  job.algorithm = collectives::Algorithm::ParameterServer;
  CHECK(algorithm_of(job) == "parameter-server, 2 servers");
  job.servers = 0;
  CHECK(algorithm_of(job) == "parameter-server, all ranks serve");
  job.algorithm = collectives::Algorithm::Hierarchical;
  CHECK(algorithm_of(job) == "hierarchical by host");
  job.group_by = {topology::GroupBy::Kind::Consecutive, 4};
  CHECK(algorithm_of(job) == "hierarchical by 4 ranks");
}

TEST_CASE("job: an unknown key is an error with a suggestion", "[training]") {
  CHECK(error_of(R"({"learning-rate": 0.1})") ==
        "job.json: /learning-rate: unknown key; did you mean \"learning_rate\"?");
}

TEST_CASE("job: a result file is as good as the job in it", "[training]") {
  const std::string result = R"({"schema": "lockstep.result/1", "origin": "measured", "job": )" +
                             to_json(unusual_job()) + ", \"summary\": {}}";
  CHECK(to_json(parse_job(result, "r.json")) == to_json(unusual_job()));
  CHECK(error_of(R"({"schema": "lockstep.result/1", "job": {"batch": 0}})") ==
        "job.json: /job/batch: must be a whole number of at least 1, is 0");
  CHECK(error_of(R"({"schema": "lockstep.result/1"})") == "job.json: \"job\" is missing");
  CHECK_THAT(error_of(R"({"schema": "lockstep.machine/1"})"),
             Catch::StartsWith("job.json: /schema: unknown key"));
}

TEST_CASE("job: a flag sets its field as the job file would", "[training]") {
  Job job;
  set_field(job, "batch", "32", "--batch");
  set_field(job, "bucket_bytes", "2 MiB", "--bucket-bytes");
  set_field(job, "segment_bytes", "65536", "--segment-bytes");
  set_field(job, "overlap", "off", "--overlap");
  set_field(job, "learning_rate", "1e-2", "--learning-rate");
  set_field(job, "momentum", ".5", "--momentum");
  set_field(job, "network", "12", "--network");  // a text, though it looks like a number
  set_field(job, "algorithm", "recursive-doubling", "--algorithm");
  CHECK(job.batch == 32);
  CHECK(job.bucket_bytes == 2u << 20);
  CHECK(job.segment_bytes == 65536);
  CHECK_FALSE(job.overlap);
  CHECK(job.learning_rate == 0.01);
  CHECK(job.momentum == 0.5);
  CHECK(job.network == "12");
  CHECK(job.algorithm == collectives::Algorithm::RecursiveDoubling);

  CHECK(flag_error("batch", "0") == "--flag: must be a whole number of at least 1, is 0");
  CHECK(flag_error("batch", "many") == "--flag: must be a number, is \"many\"");
  CHECK(flag_error("batch", "") == "--flag: must be a number, is \"\"");
  CHECK(flag_error("batch", "[3]") == "--flag: must be a number, is \"[3]\"");
  CHECK(flag_error("learning_rate", "nan") == "--flag: must be a number, is \"nan\"");
  CHECK(flag_error("overlap", "true") == "--flag: must be on or off, is \"true\"");
}
