// SPDX-License-Identifier: Apache-2.0
// Comparison of results: what is the reference, the errors by hand, the bound and the table.
#include "models/results/compare.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/models/sample_results.h"

using namespace lockstep;
using namespace lockstep::results;

namespace {

const ComparisonRow& row_of(const Comparison& comparison, const std::string& item) {
  for (const ComparisonRow& row : comparison.rows)
    if (row.item == item) return row;
  FAIL("there is no row " + item);
  return comparison.rows.front();
}

}  // namespace

TEST_CASE("compare: the measured result is the reference, in whichever order", "[results]") {
  for (const Comparison& comparison : {compare(sample_prediction(), sample_measurement()),
                                       compare(sample_measurement(), sample_prediction())}) {
    CHECK(comparison.origin_a == Origin::Predicted);
    CHECK(comparison.origin_b == Origin::Measured);
    const ComparisonRow& mean = comparison.rows.front();
    CHECK(mean.item == "iteration, mean");
    CHECK(mean.a == 0.04);
    CHECK(mean.b == 0.05);
    CHECK(*mean.error == Approx(-0.2));  // 0.04 / 0.05 − 1
  }
}

TEST_CASE("compare: between two of one origin the second is the reference", "[results]") {
  Result faster = sample_measurement();
  faster.summary.iteration_seconds.mean = 0.025;
  const Comparison comparison = compare(faster, sample_measurement());
  CHECK(*comparison.rows.front().error == Approx(-0.5));  // 0.025 / 0.05 − 1
  CHECK_FALSE(comparison.interval_90);
}

TEST_CASE("compare: every item has its row", "[results]") {
  const Comparison comparison = compare(sample_prediction(), sample_measurement());
  REQUIRE(comparison.rows.size() == 9);
  CHECK(*row_of(comparison, "throughput").error == Approx(0.25));  // 1600 / 1280 − 1
  CHECK(*row_of(comparison, "compute").error == 0);
  CHECK(*row_of(comparison, "exposed communication").error == 0);
  CHECK(*row_of(comparison, "bytes sent per rank").error == 0);
  CHECK(*row_of(comparison, "bucket 0 (4.72 MB)").error == Approx(-0.25));  // 12 / 16 − 1
  CHECK(*row_of(comparison, "bucket 1 (80.4 kB)").error == 0);
  // 1.5 ms were predicted and none measured: there is no quotient.
  CHECK_FALSE(row_of(comparison, "of which waiting").error);
}

TEST_CASE("compare: buckets of other sizes are not compared", "[results]") {
  Result other = sample_measurement();
  other.buckets[1].bytes = 5;
  CHECK(compare(sample_prediction(), other).rows.size() == 8);
}

TEST_CASE("compare: only the mean iteration time can break the bound", "[results]") {
  // The mean is 20 % off, a bucket 25 %.
  CHECK(compare(sample_prediction(), sample_measurement(), 0.21).passed());
  const Comparison failed = compare(sample_prediction(), sample_measurement(), 0.19);
  CHECK_FALSE(failed.passed());
  CHECK(failed.rows.front().beyond_bound);
  for (std::size_t i = 1; i < failed.rows.size(); ++i)
    CHECK_FALSE(failed.rows[i].beyond_bound);
  CHECK(compare(sample_prediction(), sample_measurement()).passed());

  Result none = sample_measurement();  // no quotient is no pass
  none.summary.iteration_seconds = {};
  CHECK_FALSE(compare(sample_prediction(), none, 0.5).passed());
}

TEST_CASE("compare: says whether the measured mean is inside the predicted interval", "[results]") {
  const Comparison outside = compare(sample_prediction(), sample_measurement());
  REQUIRE(outside.interval_90);
  CHECK_FALSE(outside.inside_interval);  // 0.05 is not in [0.036, 0.044]
  Result measured = sample_measurement();
  for (const double bound : {0.036, 0.044}) {
    measured.summary.iteration_seconds.mean = bound;
    CHECK(compare(sample_prediction(), measured).inside_interval);
  }
}

TEST_CASE("compare: jobs that differ in what matters for time are listed", "[results]") {
  Result other = sample_measurement();
  other.job.seed = 99;  // does not matter
  other.job.learning_rate = 1;
  other.job.iterations = 7;
  other.job.fidelity = training::Fidelity::Ideal;  // nothing was simulated
  CHECK(compare(sample_prediction(), other).differences.empty());
  other.job.ranks = 4;
  other.job.algorithm = collectives::Algorithm::RecursiveDoubling;
  other.job.overlap = false;
  CHECK(compare(sample_prediction(), other).differences ==
        std::vector<std::string>{"ranks: 2 and 4", "algorithm: ring and recursive-doubling",
                                 "overlap: on and off"});

  Result ideal = sample_prediction();
  ideal.job.fidelity = training::Fidelity::Ideal;
  CHECK(compare(ideal, sample_prediction()).differences ==
        std::vector<std::string>{"fidelity: ideal and flow"});
}

TEST_CASE("compare: the first of several files is what all others are compared with", "[results]") {
  const std::vector<NamedResult> against_prediction{{"p.json", sample_prediction()},
                                                    {"m.json", sample_measurement()},
                                                    {"q.json", sample_prediction()}};
  std::vector<Comparison> comparisons = compare_all(against_prediction);
  REQUIRE(comparisons.size() == 2);
  CHECK(comparisons[0].name_a == "p.json");
  CHECK(comparisons[0].name_b == "m.json");
  CHECK(comparisons[1].name_a == "q.json");  // no measured one: the first is the reference
  CHECK(comparisons[1].name_b == "p.json");

  const std::vector<NamedResult> against_measurement{{"m.json", sample_measurement()},
                                                     {"p.json", sample_prediction()}};
  comparisons = compare_all(against_measurement);
  CHECK(comparisons[0].name_a == "p.json");
  CHECK(comparisons[0].name_b == "m.json");
}

TEST_CASE("compare: the table of a comparison", "[results]") {
  const std::vector<NamedResult> results{{"p.json", sample_prediction()},
                                         {"m.json", sample_measurement()}};
  CHECK(to_table(compare_all(results, 0.1)[0]) == R"(predicted: p.json
measured: m.json
                           predicted       measured    error
iteration, mean              40.0 ms        50.0 ms  -20.0 %  FAILED
iteration, p50               39.2 ms        49.0 ms  -20.0 %
throughput             1600 images/s  1280 images/s  +25.0 %
compute                      30.0 ms        30.0 ms    0.0 %
exposed communication        8.00 ms        8.00 ms    0.0 %
of which waiting             1.50 ms            0 s        -
bytes sent per rank          4.80 MB        4.80 MB    0.0 %
bucket 0 (4.72 MB)           12.0 ms        16.0 ms  -25.0 %
bucket 1 (80.4 kB)           1.00 ms        1.00 ms    0.0 %
The measured mean is outside the predicted 90 % interval, 36.0 ms to 44.0 ms.
The mean iteration time is beyond the bound of 10.0 % (--max-error).
)");
}

TEST_CASE("compare: the JSON of comparisons holds every row", "[results]") {
  const std::vector<NamedResult> results{{"p.json", sample_prediction()},
                                         {"m.json", sample_measurement()}};
  const auto json = nlohmann::json::parse(to_json(compare_all(results, 0.1)));
  CHECK(json["schema"] == "lockstep.comparison/1");
  CHECK(json["passed"] == false);
  const auto& comparison = json["comparisons"][0];
  CHECK(comparison["a"]["file"] == "p.json");
  CHECK(comparison["b"]["origin"] == "measured");
  CHECK(comparison["max_error_of_mean_iteration"] == 0.1);
  CHECK(comparison["interval_90"] == nlohmann::json::array({0.036, 0.044}));
  CHECK(comparison["inside_interval_90"] == false);
  REQUIRE(comparison["rows"].size() == 9);
  CHECK(comparison["rows"][0]["item"] == "iteration, mean");
  CHECK(comparison["rows"][0]["beyond_bound"] == true);
  CHECK(comparison["rows"][0]["unit"] == "s");
  CHECK(comparison["rows"][5]["error"].is_null());
}
