// SPDX-License-Identifier: Apache-2.0
#include "models/results/compare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "models/base/errors.h"
#include "models/results/result_json.h"
#include "models/training/job_json.h"

namespace lockstep::results {

namespace {

std::string text_of(const std::string& value) {
  return value;
}
std::string text_of(std::int32_t value) {
  return std::to_string(value);
}
std::string text_of(std::uint64_t value) {
  return std::to_string(value);
}
std::string text_of(bool value) {
  return value ? "on" : "off";
}
std::string text_of(const topology::Placement& value) {
  std::string text = topology::name_of(value.kind);
  for (const std::string& host : value.hosts)
    text += " " + host;
  return text;
}
std::string text_of(training::Fidelity value) {
  return training::name_of(value);
}

/// Iterations, learning rate, data and seed are left out: they do not change what an iteration
/// does. The fidelity is the simulator's, so it can differ only between predictions.
std::vector<std::string> job_differences(const Result& a, const Result& b) {
  std::vector<std::string> differences;
  const auto check = [&](const char* field, const auto& of_a, const auto& of_b) {
    if (of_a != of_b)
      differences.push_back(std::string(field) + ": " + text_of(of_a) + " and " + text_of(of_b));
  };
  check("network", a.job.network, b.job.network);
  check("ranks", a.job.ranks, b.job.ranks);
  check("batch", a.job.batch, b.job.batch);
  check("accumulate", a.job.accumulate, b.job.accumulate);
  check("threads", a.job.threads, b.job.threads);
  check("algorithm", training::algorithm_of(a.job), training::algorithm_of(b.job));
  check("bucket_bytes", a.job.bucket_bytes, b.job.bucket_bytes);
  check("buckets_in_flight", a.job.buckets_in_flight, b.job.buckets_in_flight);
  check("segment_bytes", a.job.segment_bytes, b.job.segment_bytes);
  check("overlap", a.job.overlap, b.job.overlap);
  check("optimizer", training::name_of(a.job.update.optimizer),
        training::name_of(b.job.update.optimizer));
  check("topology", a.job.topology, b.job.topology);
  check("placement", a.job.placement, b.job.placement);
  if (a.origin == Origin::Predicted && b.origin == Origin::Predicted)
    check("fidelity", a.job.fidelity, b.job.fidelity);
  return differences;
}

ComparisonRow row(std::string item, Unit unit, double a, double b) {
  ComparisonRow row{std::move(item), unit, a, b, {}, false};
  if (b != 0) row.error = a / b - 1;
  if (a == b) row.error = 0;
  return row;
}

std::vector<ComparisonRow> rows_of(const Result& a, const Result& b) {
  const Summary& of_a = a.summary;
  const Summary& of_b = b.summary;
  using enum Unit;
  std::vector<ComparisonRow> rows{
      row("iteration, mean", Seconds, of_a.iteration_seconds.mean, of_b.iteration_seconds.mean),
      row("iteration, p50", Seconds, of_a.iteration_seconds.p50, of_b.iteration_seconds.p50),
      row("throughput", ImagesPerSecond, of_a.images_per_second, of_b.images_per_second),
      row("compute", Seconds, of_a.compute_seconds, of_b.compute_seconds),
      row("exposed communication", Seconds, of_a.exposed_communication_seconds,
          of_b.exposed_communication_seconds),
      row("of which waiting", Seconds, of_a.wait_seconds, of_b.wait_seconds),
      row("bytes sent per rank", Bytes, static_cast<double>(of_a.bytes_sent_per_rank),
          static_cast<double>(of_b.bytes_sent_per_rank))};
  // Buckets of one number but another size are not the same thing.
  for (const BucketFigures& bucket : a.buckets) {
    const auto same = std::find_if(b.buckets.begin(), b.buckets.end(), [&](const auto& other) {
      return other.bucket == bucket.bucket && other.bytes == bucket.bytes;
    });
    if (same == b.buckets.end()) continue;
    rows.push_back(row("bucket " + std::to_string(bucket.bucket) + " (" +
                           format_bytes(static_cast<double>(bucket.bytes)) + ")",
                       Seconds, bucket.seconds, same->seconds));
  }
  return rows;
}

}  // namespace

bool Comparison::passed() const {
  return std::none_of(rows.begin(), rows.end(),
                      [](const ComparisonRow& row) { return row.beyond_bound; });
}

Comparison compare(const Result& a, const Result& b, std::optional<double> max_error) {
  if (a.origin == Origin::Measured && b.origin == Origin::Predicted)
    return compare(b, a, max_error);
  Comparison comparison;
  comparison.origin_a = a.origin;
  comparison.origin_b = b.origin;
  comparison.differences = job_differences(a, b);
  comparison.rows = rows_of(a, b);
  comparison.max_error = max_error;
  ComparisonRow& mean = comparison.rows.front();
  if (max_error) mean.beyond_bound = !mean.error || std::abs(*mean.error) > *max_error;
  if (a.origin == Origin::Predicted && b.origin == Origin::Measured && a.summary.interval_90) {
    comparison.interval_90 = a.summary.interval_90;
    comparison.inside_interval =
        a.summary.interval_90->first <= mean.b && mean.b <= a.summary.interval_90->second;
  }
  return comparison;
}

std::vector<Comparison> compare_all(std::span<const NamedResult> results,
                                    std::optional<double> max_error) {
  LOCKSTEP_CHECK(results.size() >= 2, "there is nothing to compare with");
  std::vector<Comparison> comparisons;
  const NamedResult& first = results.front();
  for (const NamedResult& other : results.subspan(1)) {
    comparisons.push_back(compare(other.result, first.result, max_error));
    const bool exchanged =
        first.result.origin == Origin::Predicted && other.result.origin == Origin::Measured;
    comparisons.back().name_a = exchanged ? first.name : other.name;
    comparisons.back().name_b = exchanged ? other.name : first.name;
  }
  return comparisons;
}

namespace {

std::string format(double value, Unit unit) {
  std::array<char, 32> text{};
  switch (unit) {
    case Unit::Seconds:
      return value == 0 ? "0 s" : format_seconds(value);
    case Unit::ImagesPerSecond:
      std::snprintf(text.data(), text.size(), value < 100 ? "%.1f images/s" : "%.0f images/s",
                    value);
      return text.data();
    case Unit::Bytes:
      return format_bytes(value);
  }
  return "";
}

std::string format_percent(double share, bool signed_always) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), signed_always && share != 0 ? "%+.1f %%" : "%.1f %%",
                100 * share);
  return text.data();
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string space(width > text.size() ? width - text.size() : 0, ' ');
  return right ? space + text : text + space;
}

/// Columns as wide as their widest cell: the first to the left, numbers to the right, remarks last.
std::string aligned(const std::vector<std::array<std::string, 5>>& lines) {
  std::array<std::size_t, 5> width{};
  for (const auto& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i)
      width[i] = std::max(width[i], line[i].size());
  std::string text;
  for (const auto& line : lines) {
    std::string out = padded(line[0], width[0], false);
    for (std::size_t i = 1; i < 4; ++i)
      out += "  " + padded(line[i], width[i], true);
    out += "  " + line[4];
    text += out.substr(0, out.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace

std::string to_table(const Comparison& comparison) {
  std::string text;
  const std::string origin_a = name_of(comparison.origin_a);
  const std::string origin_b = name_of(comparison.origin_b);
  const bool same_origin = origin_a == origin_b;
  const std::string head_a = same_origin ? "this" : origin_a;
  const std::string head_b = same_origin ? "baseline" : origin_b;
  if (!comparison.name_a.empty())
    text += head_a + ": " + comparison.name_a + "\n" + head_b + ": " + comparison.name_b + "\n";
  for (const std::string& difference : comparison.differences)
    text += "warning: the jobs differ in " + difference + "\n";

  std::vector<std::array<std::string, 5>> lines{
      {"", head_a, head_b, same_origin ? "change" : "error", ""}};
  for (const ComparisonRow& row : comparison.rows)
    lines.push_back({row.item, format(row.a, row.unit), format(row.b, row.unit),
                     row.error ? format_percent(*row.error, true) : "-",
                     row.beyond_bound ? "FAILED" : ""});
  text += aligned(lines);

  if (comparison.interval_90)
    text += "The measured mean is " +
            std::string(comparison.inside_interval ? "inside" : "outside") +
            " the predicted 90 % interval, " + format_seconds(comparison.interval_90->first) +
            " to " + format_seconds(comparison.interval_90->second) + ".\n";
  if (comparison.max_error)
    text += "The mean iteration time " + std::string(comparison.passed() ? "keeps" : "is beyond") +
            " the bound of " + format_percent(*comparison.max_error, false) + " (--max-error).\n";
  return text;
}

}  // namespace lockstep::results
