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

namespace {

/// The other job where the jobs before it have left hosts, or where it says.
ResolvedJob resolve_other(const training::Job& other, const ResolvedJob& main,
                          std::vector<bool>& is_taken) {
  training::Job job = other;
  job.topology = main.job.topology;
  job.fidelity = main.job.fidelity;
  const std::vector<topology::Host>& hosts = main.topology.hosts;
  if (job.placement.kind != topology::PlacementKind::Listed) {
    topology::Topology free;
    for (std::size_t host = 0; host < hosts.size(); ++host)
      if (!is_taken[host]) free.hosts.push_back(hosts[host]);
    if (free.hosts.empty()) throw ConfigError("the jobs before it have left no host");
    std::vector<std::string> names;
    for (const HostId host : topology::place(free, job.ranks, job.placement, "--placement"))
      names.push_back(free.hosts[static_cast<std::size_t>(host)].name);
    job.placement = {topology::PlacementKind::Listed, std::move(names)};
  }
  ResolvedJob resolved = resolve(job, network::load_network(job.network), main.topology);
  for (const HostId host : resolved.host_of_rank)
    if (is_taken[static_cast<std::size_t>(host)])
      throw ConfigError("host \"" + hosts[static_cast<std::size_t>(host)].name +
                        "\" has ranks of another job; jobs share links, not hosts");
  for (const HostId host : resolved.host_of_rank)
    is_taken[static_cast<std::size_t>(host)] = true;
  return resolved;
}

void add_others(ResolvedJob& resolved, const std::string& where) {
  std::vector<bool> is_taken(resolved.topology.hosts.size());
  for (const HostId host : resolved.host_of_rank)
    is_taken[static_cast<std::size_t>(host)] = true;
  for (conditions::OtherJob& other : resolved.conditions.jobs) {
    const std::size_t number = resolved.others.size();
    try {
      resolved.others.push_back(resolve_other(other.job, resolved, is_taken));
    } catch (const ConfigError& error) {  // which names fields as if there were one job
      throw ConfigError(where + ": /jobs/" + std::to_string(number) + "/job", error.what());
    }
    ResolvedJob& added = resolved.others.back();
    added.start = Time::from_seconds(other.start_seconds);
    added.conditions.compute_jitter = resolved.conditions.compute_jitter;
    other.job = added.job;  // with its hosts
  }
}

}  // namespace

void set_conditions(const std::string& text, const std::string& where, ResolvedJob& resolved) {
  const training::Job& job = resolved.job;
  Conditions given =
      conditions::parse_conditions(text, where, resolved.topology, job.ranks, job.batch);
  const bool needs_flow = !given.traffic.empty() || given.failure || !given.jobs.empty();
  if (needs_flow && job.fidelity == training::Fidelity::Ideal)
    throw ConfigError(where,
                      "traffic, failures and other jobs need --fidelity flow: on an ideal network "
                      "nothing is shared");
  if ((!given.traffic.empty() || given.failure) && job.fidelity == training::Fidelity::Packet)
    throw ConfigError(where, "traffic and failures need --fidelity flow, not packet");
  resolved.conditions = std::move(given);
  add_others(resolved, where);
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
  const std::optional<Failure>& failure = resolved.conditions.failure;
  if (failure && failure->reaction == Reaction::Reroute && failure->at_seconds == 0 &&
      failure->detection_seconds == 0)
    disturbances.outages.push_back(
        {.link = failure->link, .from = {}, .until = {}, .avoided = true});
  return disturbances;
}

namespace {

/// A mean iteration when the link has been lost for long.
double seconds_rerouted(const ResolvedJob& resolved, const Machines& machines) {
  ResolvedJob after = resolved;
  after.conditions.failure->at_seconds = 0;
  after.conditions.failure->detection_seconds = 0;
  const sim::SimulatedRun run = simulate_training(after, after.topology, machines, {});
  return results::summarise(run.iterations, run.bytes_sent, 0).iteration_seconds.mean;
}

/// By how much later everything happens when the failure comes `phase` seconds into an iteration
/// that is not the first one. Nobody gets far ahead of a rank or link that is out, so that a few
/// iterations show all of it. What is lost by iterations of `after` seconds, where they are other
/// ones then, does not count.
double waited_seconds(const ResolvedJob& resolved, const cost::CostModel& cost, double seconds,
                      double phase, double after) {
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
       .until = Time::from_seconds(from + failure.lasts_seconds + failure.detection_seconds),
       .avoided = failure.reaction == Reaction::Reroute});
  return std::max(0.0, end() - undisturbed - kAfter * (after - seconds));
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
      figures.lost_seconds = waited_seconds(resolved, cost, seconds, phase, seconds);
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
    case Reaction::Reroute: {
      const double after = seconds_rerouted(resolved, machines);
      const bool is_new = failure.at_seconds > 0 || failure.detection_seconds > 0;
      figures.lost_seconds = is_new ? waited_seconds(resolved, cost, seconds, phase, after) : 0;
      figures.iteration_seconds_after = after;
      figures.ranks_after = resolved.job.ranks;
      break;
    }
  }
  return figures;
}

std::vector<results::JobFigures> job_figures(const ResolvedJob& resolved, const Machines& machines,
                                             double seconds) {
  std::vector<results::JobFigures> figures;
  if (resolved.others.empty()) return figures;
  const auto mean = [&](const ResolvedJob& job) {
    const sim::SimulatedRun run = simulate_training(job, job.topology, machines, {});
    return results::summarise(run.iterations, run.bytes_sent, 0).iteration_seconds.mean;
  };
  const auto add = [&](ResolvedJob job, double shared) {
    job.others.clear();
    figures.push_back({job.job.network, job.job.ranks, job.job.batch, shared, mean(job)});
  };
  add(resolved, seconds);
  // In one and the same simulation each of them is the one that is looked at, and all others, with
  // this job among them, are its others.
  for (std::size_t i = 0; i < resolved.others.size(); ++i) {
    ResolvedJob job = resolved.others[i];
    job.others = resolved.others;
    job.others[i] = resolved;
    job.others[i].others.clear();
    const double shared = mean(job);
    add(std::move(job), shared);
  }
  return figures;
}

void print_conditions(const results::Result& result) {
  const char* head = "conditions";
  for (const std::string& line : conditions::describe(result.conditions, result.topology)) {
    std::printf("  %-21s %s\n", head, line.c_str());
    head = "";
  }
  head = "jobs";
  for (const results::JobFigures& job : result.jobs) {
    std::printf("  %-21s %s, %d rank(s): %s, alone %s (%+.1f %%)\n", head, job.network.c_str(),
                job.ranks, format_seconds(job.iteration_seconds).c_str(),
                format_seconds(job.alone_seconds).c_str(),
                100 * (job.iteration_seconds / job.alone_seconds - 1));
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
