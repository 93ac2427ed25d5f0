// SPDX-License-Identifier: Apache-2.0
// Results: the figures of a summary by hand, the exact round trip of the file, and writing it.
#include "models/results/result_json.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <limits>

#include "models/base/errors.h"
#include "models/training/job_json.h"
#include "tests/models/sample_results.h"
#include "tests/support/temporary_folder.h"

using namespace lockstep;
using namespace lockstep::results;

namespace {

std::string error_of(const std::string& text) {
  try {
    parse_result(text, "r.json");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

/// The text of the sample with one piece of it replaced.
std::string sample_with(const std::string& piece, const std::string& other) {
  std::string text = to_json(sample_prediction());
  const std::size_t at = text.find(piece);
  REQUIRE(at != std::string::npos);
  return text.replace(at, piece.size(), other);
}

/// An iteration of so many milliseconds.
IterationFigures milliseconds(std::int64_t start, std::int64_t end, std::int64_t compute,
                              std::int64_t exposed, std::int64_t waiting) {
  const auto time = [](std::int64_t n) { return Time{n * 1'000'000'000}; };
  return {time(start), time(end), time(compute), time(exposed), time(waiting)};
}

std::size_t files_in(const TemporaryFolder& folder) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(folder.path()), {}));
}

}  // namespace

TEST_CASE("summary: the figures of two ranks and three iterations by hand", "[results]") {
  const std::vector<std::vector<IterationFigures>> iterations{
      {milliseconds(0, 10, 6, 3, 1), milliseconds(10, 30, 8, 4, 2), milliseconds(30, 60, 7, 5, 3)},
      {milliseconds(0, 12, 6, 3, 0), milliseconds(12, 30, 8, 4, 0), milliseconds(30, 62, 7, 5, 0)},
  };
  const std::vector<std::uint64_t> bytes{100, 300};
  const Summary summary = summarise(iterations, bytes, 62);
  // Means over ranks: (10 + 12) / 2 = 11, (20 + 18) / 2 = 19, (30 + 32) / 2 = 31 ms.
  // Mean (11 + 19 + 31) / 3 = 61 / 3 ms; the middle one is 19.
  CHECK(summary.iteration_seconds.mean == Approx(0.061 / 3));
  CHECK(summary.iteration_seconds.p50 == Approx(0.019));
  // Position 0.95 × 2 = 1.9: 19 + 0.9 × (31 − 19) = 29.8 ms.
  CHECK(summary.iteration_seconds.p95 == Approx(0.0298));
  CHECK(summary.images_per_second == Approx(62 / (0.061 / 3)));
  CHECK(summary.compute_seconds == Approx(0.007));                // (6 + 8 + 7) / 3
  CHECK(summary.exposed_communication_seconds == Approx(0.004));  // (3 + 4 + 5) / 3
  CHECK(summary.wait_seconds == Approx(0.001));                   // (1 + 2 + 3 + 0 + 0 + 0) / 6
  CHECK(summary.bytes_sent_per_rank == 300);
  CHECK(summary.iterations == 3);
  CHECK_FALSE(summary.interval_90);
  CHECK_FALSE(summary.scaling_efficiency);
}

TEST_CASE("summary: of an even number of iterations the median lies between two", "[results]") {
  const std::vector<std::vector<IterationFigures>> iterations{
      {milliseconds(0, 4, 0, 0, 0), milliseconds(4, 6, 0, 0, 0)}};
  CHECK(summarise(iterations, {}, 1).iteration_seconds.p50 == Approx(0.003));  // (4 + 2) / 2
}

TEST_CASE("summary: without iterations all figures are zero", "[results]") {
  const std::vector<std::vector<IterationFigures>> iterations(2);
  const Summary summary = summarise(iterations, std::vector<std::uint64_t>{5, 4}, 64);
  CHECK(summary.iterations == 0);
  CHECK(summary.iteration_seconds.mean == 0);
  CHECK(summary.images_per_second == 0);
  CHECK(summary.bytes_sent_per_rank == 5);
}

TEST_CASE("result: the text of a result reads back as the same text", "[results]") {
  for (const Result& result : {sample_prediction(), sample_measurement()}) {
    const std::string text = to_json(result);
    CHECK(to_json(parse_result(text, "r.json")) == text);
  }
}

TEST_CASE("result: what is written reads back field by field", "[results]") {
  const Result result = sample_prediction();
  const Result back = parse_result(to_json(result), "r.json");
  CHECK(back.origin == Origin::Predicted);
  CHECK(training::to_json(back.job) == training::to_json(result.job));
  CHECK(topology::to_json(back.topology) == topology::to_json(result.topology));
  CHECK_THAT(back.machine_json, Catch::Contains("\"example\""));
  CHECK(back.provenance.version == result.provenance.version);
  CHECK(back.provenance.host == result.provenance.host);
  CHECK(back.provenance.time == result.provenance.time);
  CHECK(back.provenance.seed == UINT64_MAX);
  CHECK(back.summary.iteration_seconds.mean == result.summary.iteration_seconds.mean);
  CHECK(back.summary.iteration_seconds.p50 == result.summary.iteration_seconds.p50);
  CHECK(back.summary.iteration_seconds.p95 == result.summary.iteration_seconds.p95);
  CHECK(back.summary.images_per_second == result.summary.images_per_second);
  CHECK(back.summary.scaling_efficiency == result.summary.scaling_efficiency);
  CHECK(back.summary.compute_seconds == result.summary.compute_seconds);
  CHECK(back.summary.exposed_communication_seconds == result.summary.exposed_communication_seconds);
  CHECK(back.summary.wait_seconds == result.summary.wait_seconds);
  CHECK(back.summary.bytes_sent_per_rank == result.summary.bytes_sent_per_rank);
  CHECK(back.summary.interval_90 == result.summary.interval_90);
  CHECK(back.summary.iterations == result.summary.iterations);
  REQUIRE(back.buckets.size() == 2);
  CHECK(back.buckets[1].bucket == 1);
  CHECK(back.buckets[1].bytes == result.buckets[1].bytes);
  CHECK(back.buckets[1].seconds == result.buckets[1].seconds);
  REQUIRE(back.links.size() == 2);
  CHECK(back.links[1].name == result.links[1].name);
  CHECK(back.links[1].bytes == result.links[1].bytes);
  CHECK(back.links[1].utilisation == result.links[1].utilisation);
  REQUIRE(back.ranks.size() == 2);
  CHECK(back.ranks[1].rank == 1);
  CHECK(back.ranks[1].host == result.ranks[1].host);
  CHECK(back.ranks[1].batch == 32);
  CHECK(back.ranks[1].compute_seconds == result.ranks[1].compute_seconds);
  CHECK(back.ranks[1].exposed_communication_seconds ==
        result.ranks[1].exposed_communication_seconds);
  CHECK(back.ranks[1].wait_seconds == result.ranks[1].wait_seconds);
  CHECK(back.ranks[1].bytes_sent == result.ranks[1].bytes_sent);
  CHECK_FALSE(back.learning);
}

TEST_CASE("result: a loss that is not finite is null in the file and NaN when read", "[results]") {
  Result result = sample_measurement();
  result.learning->loss = {2.25, std::nan(""), std::numeric_limits<double>::infinity()};
  CHECK_THAT(to_json(result), Catch::Contains("\"loss\": [2.25, null, null]"));
  const Result back = parse_result(to_json(result), "r.json");
  REQUIRE(back.learning);
  CHECK(back.learning->loss[0] == 2.25);
  CHECK(std::isnan(back.learning->loss[1]));
  CHECK(std::isnan(back.learning->loss[2]));
  CHECK(back.learning->test_accuracy == result.learning->test_accuracy);
}

TEST_CASE("result: a result can be given as the job file that repeats it", "[results]") {
  const Result result = sample_measurement();
  CHECK(training::to_json(training::parse_job(to_json(result), "r.json")) ==
        training::to_json(result.job));
}

TEST_CASE("result: what is wrong in a result file is named with its place", "[results]") {
  CHECK(error_of("{}") ==
        "r.json: is not a result file (\"schema\" must be \"lockstep.result/1\")");
  CHECK(error_of(sample_with("result/1", "result/2")) ==
        "r.json: is not a result file (\"schema\" must be \"lockstep.result/1\")");
  CHECK(error_of(sample_with("\"predicted\"", "\"guessed\"")) ==
        "r.json: /origin: must be predicted or measured, is \"guessed\"");
  CHECK(error_of(sample_with("\"wait_seconds\": 0.0015", "\"wait_secs\": 0.0015")) ==
        "r.json: /summary/wait_secs: unknown key; did you mean \"wait_seconds\"?");
  CHECK(error_of(sample_with("\"images_per_second\": 1600.0,", "")) ==
        "r.json: /summary: \"images_per_second\" is missing");
  CHECK(error_of(sample_with("\"images_per_second\": 1600.0", "\"images_per_second\": -1")) ==
        "r.json: /summary/images_per_second: must be at least 0.0, is -1");
  CHECK(error_of(sample_with("[0.036, 0.044]", "[0.044, 0.036]")) ==
        "r.json: /summary/interval_90: must be [low, high] in seconds");
  CHECK(error_of(sample_with("\"bucket\": 1", "\"bucket\": -1")) ==
        "r.json: /buckets/1/bucket: must be a whole number of at least 0, is -1");
  CHECK(error_of(sample_with("\"batch\": 64", "\"batch\": 0")) ==
        "r.json: /job/batch: must be a whole number of at least 1, is 0");
  const std::string text = to_json(sample_prediction());
  CHECK_THAT(error_of(text.substr(0, text.size() / 2)),
             Catch::StartsWith("r.json: is not JSON: parse error"));
}

TEST_CASE("write_file: writes and replaces, and leaves nothing beside", "[results]") {
  const TemporaryFolder folder;
  const std::string path = folder / "r.json";
  results::write_file(path, "first");
  results::write_file(path, "second");
  CHECK(read_file(path) == "second");
  CHECK(files_in(folder) == 1);
}

TEST_CASE("write_file: a link is written through, a device is not replaced", "[results]") {
  const TemporaryFolder folder;
  results::write_file(folder / "r.json", "first");
  std::filesystem::create_symlink("r.json", folder / "link.json");
  results::write_file(folder / "link.json", "second");
  CHECK(std::filesystem::is_symlink(folder / "link.json"));
  CHECK(read_file(folder / "r.json") == "second");

  results::write_file("/dev/null", "away");
  CHECK(std::filesystem::is_character_file("/dev/null"));
}

TEST_CASE("write_file: a missing folder and a folder for a file are errors", "[results]") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(
      results::write_file(folder / "none/r.json", "x"),
      (folder / "none/r.json") + ": the folder \"" + (folder / "none") + "\" does not exist");
  CHECK_THROWS_WITH(results::write_file(folder / "", "x"),
                    (folder / "") + ": is a folder, expected a file");
  CHECK(files_in(folder) == 0);
}

TEST_CASE("write_file: when the disk is full the error says so", "[results]") {
  CHECK_THROWS_WITH(results::write_file("/dev/full", "x"),
                    "/dev/full: cannot be written (is the disk full?)");
}

TEST_CASE("load_result: reads what write_file wrote", "[results]") {
  const TemporaryFolder folder;
  results::write_file(folder / "r.json", to_json(sample_measurement()));
  CHECK(to_json(load_result(folder / "r.json")) == to_json(sample_measurement()));
}
