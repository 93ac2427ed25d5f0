// SPDX-License-Identifier: Apache-2.0
#include "cli/choose_for_job.h"

#include <algorithm>
#include <cstdio>

#include "cli/choose_codecs.h"
#include "cli/job_faults.h"
#include "cli/prediction.h"
#include "models/base/errors.h"

namespace lockstep::cli {

training::Job with(training::Job job, const collectives::Choice& choice) {
  job.choose_algorithm = false;
  job.algorithm = choice.algorithm;
  job.segment_bytes = choice.segment_bytes;
  job.servers = choice.servers;
  return job;
}

std::string dominant(const results::Result& result) {
  constexpr double kMost = 0.5;
  const double seconds = result.summary.iteration_seconds.mean;
  const auto busiest =
      std::max_element(result.links.begin(), result.links.end(),
                       [](const auto& a, const auto& b) { return a.utilisation < b.utilisation; });
  if (result.summary.compute_seconds > kMost * seconds)
    return with_share("computing", result.summary.compute_seconds / seconds);
  if (busiest != result.links.end() && busiest->utilisation > kMost)
    return with_share("link " + busiest->name, busiest->utilisation);
  return with_share("messages", result.summary.exposed_communication_seconds / seconds);
}

namespace {

/// The all-reduce of the largest bucket.
collectives::Operation largest_all_reduce(const ResolvedJob& resolved) {
  std::uint64_t largest = 0;
  for (const training::Bucket& bucket : resolved.iteration.buckets)
    largest = std::max(largest, bucket.count);
  return {.ranks = resolved.job.ranks,
          .data = {0, 0, largest},
          .scratch = {},
          .groups = topology::group_ranks(resolved.topology, resolved.host_of_rank,
                                          resolved.job.group_by)};
}

}  // namespace

std::vector<Candidate> rank_for_job(const ResolvedJob& resolved, const Machines& machines,
                                    const std::vector<collectives::Algorithm>& named) {
  const training::Job& job = resolved.job;
  const Cluster cluster{resolved.topology, resolved.host_of_rank, job.intra_host, &machines};
  const std::int64_t segment =
      job.choose_segment ? -1 : static_cast<std::int64_t>(job.segment_bytes);
  const double buckets = static_cast<double>(resolved.iteration.buckets.size());
  std::vector<Candidate> ranking;
  for (const collectives::Choice& choice :
       shortlist(largest_all_reduce(resolved), segment, cluster, buckets, named)) {
    const training::Job settled = with(job, choice);
    if (job.buckets_in_flight > most_buckets_in_flight(settled) ||
        !fault_of_exchange(settled).empty())
      continue;
    const ResolvedJob variant = resolve(settled, resolved.network, resolved.topology);
    const results::Result result = predict(variant, machines).result;
    ranking.push_back({choice, result.summary.iteration_seconds.mean, dominant(result)});
  }
  sort_by_merit(ranking);
  return ranking;
}

void check_can_choose(const training::Job& job, const Machines& machines, bool explains) {
  if ((job.choose_algorithm || explains) && machines.empty())
    throw ConfigError(explains ? "--explain" : "--algorithm",
                      std::string(explains ? "" : "auto ") +
                          "needs --machine FILE to predict with; lockstep calibrate writes one");
  if (job.choose_compression && machines.empty())
    throw ConfigError("--compression",
                      "auto needs --machine FILE to predict with; lockstep calibrate writes one");
  if (job.choose_algorithm && job.servers != 0)
    throw ConfigError("--servers", "cannot be given together with --algorithm auto, which chooses");
}

namespace {

ResolvedJob choose_algorithm(const training::Job& job, const Machines& machines, bool explains) {
  if (!job.choose_algorithm && !explains) return resolve(job);
  training::Job settled = job;
  settled.choose_algorithm = false;
  const ResolvedJob resolved = resolve(settled);
  const std::vector<Candidate> ranking = rank_for_job(resolved, machines);
  if (explains) explain(ranking);
  if (!job.choose_algorithm) return resolved;
  std::printf("algorithm: %s, of %zu candidates the fastest predicted, or as good\n",
              collectives::describe(ranking.front().choice).c_str(), ranking.size());
  std::fflush(stdout);
  return resolve(with(job, ranking.front().choice), resolved.network, resolved.topology);
}

}  // namespace

ResolvedJob resolve_choosing(const training::Job& job, const Machines& machines, bool explains) {
  check_can_choose(job, machines, explains);
  if (!job.choose_compression) return choose_algorithm(job, machines, explains);
  training::Job settled = job;
  settled.choose_compression = false;
  const bool explains_algorithm = explains && job.choose_algorithm;
  return choose_codecs(choose_algorithm(settled, machines, explains_algorithm), machines, explains);
}

void add_explain_option(options::options_description& description) {
  description.add_options()(
      "explain",
      "print all candidates for --algorithm with predicted times and what most of each is; for "
      "--compression auto, what every codec would make of each bucket");
}

}  // namespace lockstep::cli
