// SPDX-License-Identifier: Apache-2.0
#include "models/results/validation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "models/base/errors.h"
#include "models/results/percentile.h"
#include "models/training/job_json.h"

namespace lockstep::results {

namespace {

constexpr double Parts::*kParts[] = {&Parts::iteration, &Parts::compute, &Parts::exposed,
                                     &Parts::waiting,   &Parts::idle,    &Parts::reduce};

double iteration_of(const ValidationCase& one) {
  return one.predicted.iteration;
}

CaseScore score(ValidationCase one) {
  CaseScore score;
  for (double Parts::*part : kParts) {
    std::vector<double> figures;
    for (const Parts& round : one.rounds)
      figures.push_back(round.*part);
    score.measured.*part = percentile(std::move(figures), 0.5);
  }
  const double measured = score.measured.iteration;
  for (double Parts::*part : kParts)
    score.error.*part = (one.predicted.*part - score.measured.*part) / measured;
  const auto [least, most] =
      std::minmax_element(one.rounds.begin(), one.rounds.end(),
                          [](const Parts& a, const Parts& b) { return a.iteration < b.iteration; });
  score.noise = (most->iteration - least->iteration) / 2 / measured;
  if (one.interval_90)
    score.covered = one.interval_90->first <= measured && measured <= one.interval_90->second;
  if (one.from_datasheet) score.datasheet_error = *one.from_datasheet / measured - 1;
  score.from = std::move(one);
  return score;
}

GroupScore score_group(const std::vector<const CaseScore*>& cases) {
  const auto predicted_faster = [](const CaseScore* a, const CaseScore* b) {
    return iteration_of(a->from) < iteration_of(b->from);
  };
  const auto measured_faster = [](const CaseScore* a, const CaseScore* b) {
    return a->measured.iteration < b->measured.iteration;
  };
  const CaseScore& chosen = **std::min_element(cases.begin(), cases.end(), predicted_faster);
  const CaseScore& best = **std::min_element(cases.begin(), cases.end(), measured_faster);
  std::vector<double> predicted;
  std::vector<double> measured;
  for (const CaseScore* one : cases) {
    predicted.push_back(iteration_of(one->from));
    measured.push_back(one->measured.iteration);
  }
  return {.name = chosen.from.group,
          .cases = cases.size(),
          .kendall_tau = kendall_tau(predicted, measured),
          .regret = chosen.measured.iteration / best.measured.iteration - 1,
          .predicted_best = chosen.from.name,
          .measured_best = best.from.name};
}

/// In the order of their first cases.
std::vector<GroupScore> score_groups(const std::vector<CaseScore>& cases) {
  std::vector<std::vector<const CaseScore*>> groups;
  std::map<std::string, std::size_t> known;
  for (const CaseScore& one : cases) {
    const auto [place, is_new] = known.emplace(one.from.group, groups.size());
    if (is_new) groups.emplace_back();
    groups[place->second].push_back(&one);
  }
  std::vector<GroupScore> scores;
  for (const auto& group : groups)
    if (group.size() > 1) scores.push_back(score_group(group));
  return scores;
}

ErrorSummary summarise(const std::vector<std::pair<double, std::string>>& errors) {
  ErrorSummary summary;
  summary.cases = errors.size();
  if (errors.empty()) return summary;
  std::vector<double> sizes;
  for (const auto& [error, name] : errors) {
    sizes.push_back(std::abs(error));
    summary.mean += std::abs(error) / static_cast<double>(errors.size());
    if (std::abs(error) < summary.worst) continue;
    summary.worst = std::abs(error);
    summary.worst_case = name;
  }
  summary.p90 = percentile(std::move(sizes), 0.9);
  return summary;
}

template <typename List, typename Figure>
std::optional<double> mean_over(const List& list, const Figure& figure) {
  if (list.empty()) return {};
  double sum = 0;
  for (const auto& one : list)
    sum += figure(one);
  return sum / static_cast<double>(list.size());
}

}  // namespace

Parts parts_of(const Result& result) {
  const Summary& summary = result.summary;
  Parts parts{.iteration = summary.iteration_seconds.mean,
              .compute = summary.compute_seconds,
              .exposed = summary.exposed_communication_seconds,
              .waiting = summary.wait_seconds,
              .idle = summary.iteration_seconds.mean - summary.compute_seconds -
                      summary.exposed_communication_seconds};
  for (const BucketFigures& bucket : result.buckets)
    parts.reduce += bucket.seconds;
  return parts;
}

std::string group_of(const Result& predicted) {
  const training::Job& job = predicted.job;
  const auto count = [](std::int32_t number, const char* what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
  };
  std::string group = predicted.topology.name + ", " + job.network + ", " +
                      count(job.ranks, "rank") + " of " + count(job.threads, "thread") +
                      ", batch " + std::to_string(job.batch);
  if (job.placement.kind != topology::PlacementKind::Packed)
    group += ", " + topology::name_of(job.placement.kind);
  return group;
}

double kendall_tau(std::span<const double> a, std::span<const double> b) {
  LOCKSTEP_CHECK(a.size() == b.size(),
                 std::to_string(a.size()) + " and " + std::to_string(b.size()) + " items");
  double agreeing = 0;  // pairs in the same order, less those in the opposite one
  double told_by_a = 0;
  double told_by_b = 0;
  const auto sign = [](double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; };
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const int of_a = sign(a[i] - a[j]);
      const int of_b = sign(b[i] - b[j]);
      agreeing += of_a * of_b;
      told_by_a += of_a * of_a;
      told_by_b += of_b * of_b;
    }
  return told_by_a * told_by_b > 0 ? agreeing / std::sqrt(told_by_a * told_by_b) : 0;
}

Validation validate(std::vector<ValidationCase> cases,
                    std::vector<std::pair<std::string, std::string>> failed) {
  Validation validation;
  validation.failed = std::move(failed);
  for (ValidationCase& one : cases) {
    LOCKSTEP_CHECK(!one.rounds.empty(), one.name + " was not measured");
    validation.cases.push_back(score(std::move(one)));
  }
  validation.groups = score_groups(validation.cases);
  std::vector<std::pair<double, std::string>> errors;
  std::vector<std::pair<double, std::string>> datasheet_errors;
  std::vector<const CaseScore*> with_interval;
  for (const CaseScore& one : validation.cases) {
    errors.emplace_back(one.error.iteration, one.from.name);
    if (one.datasheet_error) datasheet_errors.emplace_back(*one.datasheet_error, one.from.name);
    if (one.from.interval_90) with_interval.push_back(&one);
  }
  validation.errors = summarise(errors);
  validation.datasheet_errors = summarise(datasheet_errors);
  validation.coverage_90 =
      mean_over(with_interval, [](const CaseScore* one) { return one->covered ? 1.0 : 0.0; });
  validation.mean_interval_half_width = mean_over(with_interval, [](const CaseScore* one) {
    const auto [low, high] = *one->from.interval_90;
    return (high - low) / 2 / iteration_of(one->from);
  });
  validation.mean_kendall_tau =
      mean_over(validation.groups, [](const GroupScore& group) { return group.kendall_tau; });
  validation.mean_regret =
      mean_over(validation.groups, [](const GroupScore& group) { return group.regret; });
  validation.mean_noise =
      mean_over(validation.cases, [](const CaseScore& one) { return one.noise; });
  return validation;
}

}  // namespace lockstep::results
