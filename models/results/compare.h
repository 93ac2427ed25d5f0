// SPDX-License-Identifier: Apache-2.0
// Two results item by item: how far a prediction is from what was measured, or one run from
// another.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/results/result.h"

namespace lockstep::results {

enum class Unit : std::uint8_t { Seconds, ImagesPerSecond, Bytes };

struct ComparisonRow {
  std::string item;  // "iteration, mean"
  Unit unit = Unit::Seconds;
  double a = 0;
  double b = 0;                 // the reference
  std::optional<double> error;  // a ÷ b − 1; none when b is 0 and a is not
  bool beyond_bound = false;
};

struct Comparison {
  Origin origin_a = Origin::Predicted;
  Origin origin_b = Origin::Measured;
  std::string name_a;  // of the files, when there are any
  std::string name_b;
  /// What differs between the jobs and matters for time: "ranks: 2 and 4".
  std::vector<std::string> differences;
  std::vector<ComparisonRow> rows;  // the first one is the mean iteration time
  std::optional<double> max_error;  // the bound, which is on the mean iteration time alone
  /// a's interval, where a was predicted and b measured; and whether it holds b's mean iteration.
  std::optional<std::pair<double, double>> interval_90;
  bool inside_interval = false;

  bool passed() const;  // no row is beyond the bound
};

/// b is the reference; if only a was measured, the two change places first.
Comparison compare(const Result& a, const Result& b, std::optional<double> max_error = {});

struct NamedResult {
  std::string name;  // file
  Result result;
};

/// The first result is the prediction or the baseline that each other one is compared with: the
/// measured one of each pair is the reference, else the first.
std::vector<Comparison> compare_all(std::span<const NamedResult> results,
                                    std::optional<double> max_error = {});

/// For a terminal, ends with a newline.
std::string to_table(const Comparison& comparison);
/// One object: {"schema": "lockstep.comparison/1", "comparisons": […]}.
std::string to_json(std::span<const Comparison> comparisons);

}  // namespace lockstep::results
