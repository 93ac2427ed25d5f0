// SPDX-License-Identifier: Apache-2.0
// The statistics of a validation, by hand.
#include "models/results/validation.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

#include "models/results/percentile.h"
#include "tests/models/sample_results.h"

using namespace lockstep;
using namespace lockstep::results;

namespace {

/// Predicted to take `predicted` seconds, of which 0.6 s compute.
ValidationCase sample_case(const std::string& name, double predicted, std::vector<double> rounds) {
  ValidationCase one;
  one.name = name;
  one.group = "all";
  one.predicted = {.iteration = predicted, .compute = 0.6, .exposed = predicted - 0.6};
  one.interval_90 = {predicted - 0.1, predicted + 0.1};
  for (const double seconds : rounds)
    one.rounds.push_back({.iteration = seconds, .compute = 0.5, .exposed = seconds - 0.5});
  return one;
}

}  // namespace

TEST_CASE("percentile: between neighbours the straight line", "[results]") {
  CHECK(percentile({7}, 0.9) == 7);
  CHECK(percentile({3, 1, 2}, 0.5) == 2);
  CHECK(percentile({4, 1}, 0.25) == 1.75);            // 1 + 0.25 · 3
  CHECK(percentile({0, 10, 20, 30, 40}, 0.9) == 36);  // place 3.6: 30 + 0.6 · 10
}

TEST_CASE("parts_of: idle is what neither computes nor communicates", "[results]") {
  const Parts parts = parts_of(sample_prediction());
  CHECK(parts.iteration == 0.04);
  CHECK(parts.compute == 0.03);
  CHECK(parts.exposed == 0.008);
  CHECK(parts.waiting == 0.0015);
  CHECK(parts.idle == Approx(0.002));    // 40 − 30 − 8 ms
  CHECK(parts.reduce == Approx(0.013));  // buckets of 12 and 1 ms
}

TEST_CASE("kendall_tau: orders that agree, are reversed, and cannot be told", "[results]") {
  const std::vector<double> a{1, 2, 3, 4};
  CHECK(kendall_tau(a, a) == 1);
  CHECK(kendall_tau(a, std::vector<double>{9, 7, 5, 1}) == -1);
  // One of the six pairs in the other order: (5 − 1) ÷ 6.
  CHECK(kendall_tau(a, std::vector<double>{1, 3, 2, 4}) == Approx(4.0 / 6));
  // A tie: of six pairs b tells five apart, all alike: 5 ÷ √(6 · 5).
  CHECK(kendall_tau(a, std::vector<double>{1, 2, 2, 4}) == Approx(5 / std::sqrt(30.0)));
  CHECK(kendall_tau(a, std::vector<double>{3, 3, 3, 3}) == 0);
  CHECK(kendall_tau({}, {}) == 0);
}

TEST_CASE("kendall_tau: does not depend on the items' order, and changes sign", "[results]") {
  const unsigned seed = 7;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> few(0, 5);  // with ties
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<double> a(9), b(9);
    for (std::size_t i = 0; i < a.size(); ++i) {
      a[i] = few(random);
      b[i] = few(random);
    }
    std::vector<std::size_t> order(a.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::shuffle(order.begin(), order.end(), random);
    std::vector<double> a2, b2, minus_b;
    for (const std::size_t i : order) {
      a2.push_back(a[i]);
      b2.push_back(b[i]);
    }
    for (const double x : b)
      minus_b.push_back(-x);
    const double tau = kendall_tau(a, b);
    CHECK(kendall_tau(a2, b2) == Approx(tau));
    CHECK(kendall_tau(b, a) == Approx(tau));
    CHECK(kendall_tau(a, minus_b) == Approx(-tau));
    CHECK(std::abs(tau) <= 1);
  }
}

TEST_CASE("validate: the error is against the median round, and its parts add up", "[results]") {
  const Validation validation = validate({sample_case("a", 0.9, {1.2, 1.0, 0.9})}, {});
  const CaseScore& score = validation.cases.front();
  CHECK(score.measured.iteration == 1.0);
  CHECK(score.error.iteration == Approx(-0.1));
  CHECK(score.error.compute == Approx(0.1));   // (0.6 − 0.5) ÷ 1
  CHECK(score.error.exposed == Approx(-0.2));  // (0.3 − 0.5) ÷ 1
  CHECK(score.noise == Approx(0.15));          // (1.2 − 0.9) ÷ 2
  CHECK(score.covered);                        // 0.8 to 1.0 holds 1.0
  CHECK(validation.groups.empty());            // there is nothing to choose from
  CHECK_FALSE(validation.mean_regret);
}

TEST_CASE("validate: the summary over cases", "[results]") {
  std::vector<ValidationCase> cases{sample_case("exact", 1, {1}), sample_case("high", 1.1, {1}),
                                    sample_case("low", 0.5, {1})};
  cases[0].from_datasheet = 0.2;
  cases[1].interval_90.reset();
  cases[2].flags = {"outside"};
  const Validation validation = validate(cases, {{"never", "no root"}});
  CHECK(validation.errors.cases == 3);
  CHECK(validation.errors.mean == Approx(0.2));  // (0 + 0.1 + 0.5) ÷ 3
  CHECK(validation.errors.p90 == Approx(0.42));  // place 1.8: 0.1 + 0.8 · 0.4
  CHECK(validation.errors.worst == Approx(0.5));
  CHECK(validation.errors.worst_case == "low");
  CHECK(*validation.coverage_90 == 0.5);  // of the two with an interval only the exact one
  CHECK(*validation.mean_interval_half_width == Approx(0.15));  // (0.1 ÷ 1 + 0.1 ÷ 0.5) ÷ 2
  CHECK(validation.datasheet_errors.cases == 1);
  CHECK(validation.datasheet_errors.mean == Approx(0.8));
}

TEST_CASE("validate: choices are ranked within their group", "[results]") {
  std::vector<ValidationCase> cases{sample_case("a", 1.0, {2.2}), sample_case("b", 2.0, {2.0}),
                                    sample_case("c", 3.0, {4.0}),
                                    sample_case("elsewhere", 0.1, {0.1})};
  cases[3].group = "other";
  const Validation validation = validate(cases, {});
  REQUIRE(validation.groups.size() == 1);
  const GroupScore& group = validation.groups.front();
  CHECK(group.cases == 3);
  CHECK(group.predicted_best == "a");
  CHECK(group.measured_best == "b");
  CHECK(group.regret == Approx(0.1));           // 2.2 ÷ 2.0 − 1
  CHECK(group.kendall_tau == Approx(1.0 / 3));  // a and b are exchanged
}

TEST_CASE("group_of: differs by what is given, not by what is chosen", "[results]") {
  const Result base = sample_prediction();
  Result other = base;
  other.job.algorithm = collectives::Algorithm::DoubleTree;
  other.job.overlap = false;
  other.job.bucket_bytes = 5;
  CHECK(group_of(other) == group_of(base));
  for (auto change :
       {+[](Result& r) { r.job.batch = 7; }, +[](Result& r) { r.job.ranks = 3; },
        +[](Result& r) { r.job.threads = 2; }, +[](Result& r) { r.job.network = "lenet5"; },
        +[](Result& r) { r.topology.name = "x"; },
        +[](Result& r) { r.job.placement.kind = topology::PlacementKind::Scattered; }}) {
    other = base;
    change(other);
    CHECK(group_of(other) != group_of(base));
  }
}

TEST_CASE("validation report: JSON with the summary, a table, a drawing", "[results]") {
  std::vector<ValidationCase> cases{sample_case("a<b", 1.0, {1.1, 1.3, 1.2}),
                                    sample_case("second", 2.0, {2.0})};
  cases[1].flags = {"outside"};
  cases[1].predicted_first = false;
  Validation validation = validate(cases, {{"third", "no root"}});
  validation.suite = "mine";
  const auto json = nlohmann::json::parse(to_json(validation));
  CHECK(json["schema"] == "lockstep.validation/1");
  const auto& summary = json["summary"];
  CHECK(summary["cases"] == 2);
  CHECK(summary["failed"] == 1);
  CHECK(summary["flagged"] == 1);
  CHECK(summary["mean_absolute_error"].get<double>() == Approx(1.0 / 12));  // (1 ÷ 6 + 0) ÷ 2
  CHECK(summary["worst_case"] == "a<b");
  CHECK(summary["coverage_90"] == 0.5);
  CHECK(summary["mean_regret"] == 0.0);
  CHECK(summary["datasheet"].is_null());
  CHECK(json["cases"][0]["rounds"] == nlohmann::json({1.1, 1.3, 1.2}));
  CHECK(json["cases"][1]["flags"] == nlohmann::json({"outside"}));
  CHECK(json["groups"].size() == 1);
  CHECK(json["failed"][0]["why"] == "no root");

  const std::string table = to_table(validation);
  for (const char* words :
       {"second  !*", "-16.7 %", "no", "Kendall's tau 1.00", "third: no root"}) {
    INFO(table);
    CHECK(table.find(words) != std::string::npos);
  }
  const std::string drawing = to_svg(validation);
  CHECK(drawing.find("a&lt;b") != std::string::npos);
  // A dot for each round and one for each median.
  std::size_t dots = 0;
  for (std::size_t at = drawing.find("<circle"); at != std::string::npos;
       at = drawing.find("<circle", at + 1))
    ++dots;
  CHECK(dots == 4 + 2);
}

TEST_CASE("validation report: nothing was run", "[results]") {
  const Validation validation = validate({}, {{"only", "no root"}});
  const auto json = nlohmann::json::parse(to_json(validation));
  CHECK(json["summary"]["cases"] == 0);
  CHECK(json["summary"]["coverage_90"].is_null());
  CHECK(to_table(validation) == "not run: only: no root\n");
}
