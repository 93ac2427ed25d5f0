// SPDX-License-Identifier: Apache-2.0
#include "cli/disturbed.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli/prediction.h"
#include "cli/simulated_training.h"
#include "models/base/errors.h"
#include "models/base/text_file.h"

namespace lockstep::cli {

using conditions::Conditions;
using conditions::Failure;
using conditions::kAll;
using conditions::Reaction;

void set_conditions(const std::string& text, const std::string& where, ResolvedJob& resolved) {
  const training::Job& job = resolved.job;
  Conditions given =
      conditions::parse_conditions(text, where, resolved.topology, job.ranks, job.batch);
  const bool needs_flow = !given.traffic.empty() || given.failure;
  if (needs_flow && job.fidelity == training::Fidelity::Ideal)
    throw ConfigError(where,
                      "traffic and failures need --fidelity flow: on an ideal network "
                      "nothing is shared");
  resolved.conditions = std::move(given);
}

void read_conditions(const std::string& path, ResolvedJob& resolved) {
  set_conditions(read_text(path), path, resolved);
}

sim::Disturbances disturbances_of(const ResolvedJob& resolved) {
  sim::Disturbances disturbances;
  for (const conditions::Straggler& one : resolved.conditions.stragglers)
    for (Rank rank = 0; rank < resolved.job.ranks; ++rank)
      if (one.rank == kAll || one.rank == rank)
        disturbances.stragglers.push_back({rank, one.factor, one.probability});
  for (const conditions::Traffic& one : resolved.conditions.traffic)
    for (LinkId link = 0; link < std::ssize(resolved.topology.links); ++link)
      if (one.link == kAll || one.link == link)
        disturbances.traffic.push_back({link, one.share, one.on_seconds, one.off_seconds});
  return disturbances;
}

namespace {

/// By how much later everything happens when the failure comes `phase` seconds into an iteration
/// that is not the first one. Nobody gets far ahead of a rank or link that is out, so that a few
/// iterations show all of it.
double waited_seconds(const ResolvedJob& resolved, const cost::CostModel& cost, double seconds,
                      double phase) {
  constexpr std::int32_t kBefore = 1, kAfter = 4;
  const Failure& failure = *resolved.conditions.failure;
  sim::Options options;
  options.iterations = kBefore + 1 + kAfter;
  options.compute_noise = jitter_of(resolved, cost);
  options.seed = resolved.job.seed;
  options.disturbances = disturbances_of(resolved);
  const auto end = [&] {
    return sim::simulate(resolved.iteration.schedule, cost, resolved.topology,
                         resolved.host_of_rank, options)
        .end_seconds();
  };
  const double undisturbed = end();
  const double from = kBefore * seconds + phase;
  options.disturbances.outages.push_back(
      {.rank = failure.rank,
       .link = failure.link,
       .from = Time::from_seconds(from),
       .until = Time::from_seconds(from + failure.lasts_seconds)});
  return std::max(0.0, end() - undisturbed);
}

/// The job of the ranks that are left, where they were, with the whole batch.
double seconds_without(const ResolvedJob& resolved, const Machines& machines, Rank lost) {
  training::Job job = resolved.job;
  --job.ranks;
  job.placement = {topology::PlacementKind::Listed, resolved.host_name_of_rank()};
  job.placement.hosts.erase(job.placement.hosts.begin() + lost);
  job.servers = std::min(job.servers, job.ranks);
  ResolvedJob left = resolve(job, resolved.network, resolved.topology);
  left.conditions = conditions::without_rank(resolved.conditions, lost);
  return predict(left, machines).result.summary.iteration_seconds.mean;
}

}  // namespace

results::FailureFigures after_failure(const ResolvedJob& resolved, const Machines& machines,
                                      const cost::CostModel& cost, double seconds) {
  const Failure& failure = *resolved.conditions.failure;
  const double before = seconds > 0 ? std::floor(failure.at_seconds / seconds) : 0;
  const double phase = failure.at_seconds - before * seconds;
  results::FailureFigures figures{.iterations_before = static_cast<std::int64_t>(before)};
  switch (failure.reaction) {
    case Reaction::Wait:
      figures.lost_seconds = waited_seconds(resolved, cost, seconds, phase);
      figures.iteration_seconds_after = seconds;
      figures.ranks_after = resolved.job.ranks;
      break;
    case Reaction::Abort:
      figures.lost_seconds = phase + failure.detection_seconds;
      break;
    case Reaction::Shrink:
      figures.lost_seconds = phase + failure.detection_seconds + failure.restart_seconds;
      figures.iteration_seconds_after = seconds_without(resolved, machines, failure.rank);
      figures.ranks_after = resolved.job.ranks - 1;
      break;
  }
  return figures;
}

void print_conditions(const results::Result& result) {
  const char* head = "conditions";
  for (const std::string& line : conditions::describe(result.conditions, result.topology)) {
    std::printf("  %-21s %s\n", head, line.c_str());
    head = "";
  }
  if (!result.failure) return;
  const results::FailureFigures& failure = *result.failure;
  std::printf("  failure               after %lld iterations; %s are lost",
              static_cast<long long>(failure.iterations_before),
              format_seconds(failure.lost_seconds).c_str());
  if (failure.iteration_seconds_after)
    std::printf("; then %s an iteration, %d rank(s)",
                format_seconds(*failure.iteration_seconds_after).c_str(), failure.ranks_after);
  std::printf("\n");
}

}  // namespace lockstep::cli
