// SPDX-License-Identifier: Apache-2.0
// How true predictions were, over the cases of a validation suite. Pure: files are the command
// line's.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/results/result.h"

namespace lockstep::results {

/// What the mean iteration of a run is made of, seconds; means over ranks.
struct Parts {
  double iteration = 0;
  double compute = 0;  // the compute lane is busy
  double exposed = 0;  // it is not, and communication is outstanding
  double waiting = 0;  // of which nothing moves here
  double idle = 0;     // iteration − compute − exposed
  double reduce = 0;   // the all-reduces of all buckets, hidden or not
};
Parts parts_of(const Result& result);

/// A case of a suite, as it was predicted and run.
struct ValidationCase {
  std::string name;
  std::string group;  // of cases that have all in common but the choices: see group_of()
  Parts predicted{};
  std::optional<std::pair<double, double>> interval_90{};  // of the mean iteration, seconds
  std::optional<double>
      from_datasheet{};              // the iteration without calibration of computing, seconds
  std::vector<Parts> rounds{};       // measured, at least one
  bool predicted_first = true;       // before anything was measured
  std::vector<std::string> flags{};  // why its prediction should be doubted, for people
};

/// The same for two results whose jobs differ only in what one may choose freely: the algorithm and
/// its options, buckets, segments, overlap. On one topology, so that the choices can be ranked.
std::string group_of(const Result& predicted);

struct CaseScore {
  ValidationCase from;
  Parts measured{};  // of each figure the median over rounds
  /// (predicted − measured) ÷ measured iteration: the errors of compute, exposed and idle add up to
  /// the iteration's.
  Parts error{};
  double noise = 0;      // half the range of the rounds' iterations ÷ their median
  bool covered = false;  // the interval holds the measured iteration
  std::optional<double> datasheet_error{};
};

/// Of at least two cases with the same group.
struct GroupScore {
  std::string name;
  std::size_t cases = 0;
  double kendall_tau = 0;
  double regret = 0;  // the case predicted to be fastest, measured, ÷ the fastest measured − 1
  std::string predicted_best;
  std::string measured_best;
};

/// Absolute errors of the iteration time, as shares.
struct ErrorSummary {
  std::size_t cases = 0;
  double mean = 0;
  double p90 = 0;
  double worst = 0;
  std::string worst_case;
};

struct Validation {
  std::string suite;
  Provenance provenance;
  std::vector<CaseScore> cases;
  std::vector<GroupScore> groups;
  ErrorSummary errors;
  ErrorSummary datasheet_errors;
  std::optional<double> coverage_90;               // share of the cases that have an interval
  std::optional<double> mean_interval_half_width;  // ÷ predicted iteration
  std::optional<double> mean_kendall_tau;          // over groups
  std::optional<double> mean_regret;
  std::optional<double> mean_noise;
  std::vector<std::pair<std::string, std::string>> failed;  // cases that did not run, and why
};

/// `failed`: cases without a measurement.
Validation validate(std::vector<ValidationCase> cases,
                    std::vector<std::pair<std::string, std::string>> failed);

/// Kendall's τ-b (Kendall 1945): +1 when both order the items alike, −1 when inversely. 0 when one
/// of them does not tell any items apart. Both of one length.
double kendall_tau(std::span<const double> a, std::span<const double> b);

/// For a terminal, ends with a newline.
std::string to_table(const Validation& validation);
/// {"schema": "lockstep.validation/1", "summary": …, "cases": …, "groups": …} (README.md).
std::string to_json(const Validation& validation);
/// A line for each case: the predicted interval, and where the rounds were measured.
std::string to_svg(const Validation& validation);

}  // namespace lockstep::results
