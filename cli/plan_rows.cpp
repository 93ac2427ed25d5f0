// SPDX-License-Identifier: Apache-2.0
#include "cli/plan_rows.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <iterator>
#include <thread>
#include <utility>

#include "cli/choose_for_job.h"
#include "cli/job_faults.h"
#include "cli/prediction.h"
#include "models/base/errors.h"

namespace lockstep::cli {

namespace {

using training::LearningRun;
using training::LearningSetting;

/// Calls function(i) for each i < count, on all cores.
template <typename Function>
void for_each_index(std::size_t count, const Function& function) {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++)
      function(i);
  };
  std::vector<std::future<void>> team;
  for (unsigned core = 1; core < std::thread::hardware_concurrency(); ++core)
    team.push_back(std::async(std::launch::async, work));
  work();
  for (std::future<void>& one : team)
    one.get();
}

/// A number of ranks with a codec.
struct Group {
  ResolvedJob smallest;  // at the smallest batch
  std::vector<std::int32_t> batches;
  std::vector<collectives::Choice> choices{};
  std::int32_t slow = 0;  // algorithms that are not among them
};

std::vector<Group> groups_of(const training::Job& base, const PlanAxes& axes) {
  const network::Network network = network::load_network(base.network);
  const topology::Topology topology = topology::load_topology(base.topology);
  std::vector<Group> groups;
  for (const std::int32_t ranks : axes.ranks) {
    std::vector<std::int32_t> batches;
    std::copy_if(axes.batches.begin(), axes.batches.end(), std::back_inserter(batches),
                 [&](std::int32_t batch) { return batch >= ranks; });
    if (batches.empty()) continue;
    training::Job job = base;
    job.ranks = ranks;
    job.batch = batches.front();
    const auto codecs = ranks == 1 ? std::vector<compression::Codec>{{}} : axes.codecs;
    for (const compression::Codec& codec : codecs) {
      job.compression.clear();
      if (codec.method != compression::Method::None) job.compression = {{"*", codec}};
      job.algorithm = collectives::Algorithm::Ring;  // which can have every codec that the job can
      if (!fault_of_exchange(job).empty()) continue;
      groups.push_back({resolve(job, network, topology), batches});
    }
  }
  return groups;
}

/// Of each algorithm the segments that are best at the smallest batch. There the least of
/// communication hides behind computing, so that what is far from the best is so at all batches.
void choose(Group& group, const PlanAxes& axes, const Machines& machines) {
  constexpr double kFar = 2;
  const training::Job& job = group.smallest.job;
  if (job.ranks == 1) {
    group.choices = {{job.algorithm, job.segment_bytes, job.servers}};
    return;
  }
  const std::vector<Candidate> ranking = rank_for_job(group.smallest, machines, axes.algorithms);
  std::vector<collectives::Algorithm> seen;
  for (const Candidate& candidate : ranking) {
    const collectives::Algorithm algorithm = candidate.choice.algorithm;
    if (std::find(seen.begin(), seen.end(), algorithm) != seen.end()) continue;
    seen.push_back(algorithm);
    const bool is_far = candidate.seconds > kFar * ranking.front().seconds;
    if (is_far && axes.algorithms.empty())
      ++group.slow;
    else
      group.choices.push_back(candidate.choice);
  }
}

/// A row to be: what is to be predicted for it.
struct Configuration {
  const Group* group = nullptr;
  std::int32_t batch = 0;
  collectives::Choice choice;
};

ResolvedJob resolve_configuration(const Configuration& configuration) {
  const ResolvedJob& smallest = configuration.group->smallest;
  training::Job job = with(smallest.job, configuration.choice);
  job.batch = configuration.batch;
  return resolve(job, smallest.network, smallest.topology);
}

/// Whether a rank's share of the batch changes what is learnt.
bool ranks_count(const ResolvedJob& resolved) {
  const network::Network& network = resolved.network;
  return resolved.job.batch_norm == training::BatchNorm::PerRank &&
         std::any_of(network.stages.begin(), network.stages.end(),
                     [&](const network::Stage& stage) { return network.normalises(stage); });
}

PlanRow row_of(const Configuration& configuration, const MeasuredLearning& learning,
               const Machines& machines, bool with_interval) {
  const ResolvedJob resolved = resolve_configuration(configuration);
  const Prediction prediction = predict(resolved, machines, {.interval = with_interval});
  const results::Summary& summary = prediction.result.summary;
  const training::Job& job = resolved.job;
  PlanRow row{.setting = {compression::name_of(job.compression), job.ranks, job.batch},
              .algorithm = job.ranks == 1 ? "none" : training::algorithm_of(job),
              .segment_bytes = job.segment_bytes,
              .iteration_seconds = summary.iteration_seconds.mean,
              .most_of_it = dominant(prediction.result)};
  const LearningRun& run = nearest_run(learning.runs, row.setting);
  const auto updates = [&](double noise) {
    return training::iterations_at(run.iterations, run.setting.batch, job.batch, noise);
  };
  row.iterations = updates(learning.noise.middle);
  row.epochs = row.iterations * job.batch / learning.images;
  row.seconds = row.iterations * row.iteration_seconds;
  if (summary.interval_90) {
    const auto [fewest, most] =
        std::minmax({updates(learning.noise.low), updates(learning.noise.high)});
    row.interval_seconds = {fewest * summary.interval_90->first,
                            most * summary.interval_90->second};
  }
  row.goodput =
      summary.images_per_second *
      training::statistical_efficiency(run.setting.batch, job.batch, learning.noise.middle);
  row.extrapolated = extrapolated(run.setting, row.setting, ranks_count(resolved));
  if (!prediction.cautions.empty()) row.extrapolated.push_back("iteration");
  row.cautions = prediction.cautions;
  return row;
}

std::vector<Configuration> configurations_of(const std::vector<Group>& groups) {
  std::vector<Configuration> configurations;
  for (const Group& group : groups)
    for (const std::int32_t batch : group.batches)
      for (const collectives::Choice& choice : group.choices)
        configurations.push_back({&group, batch, choice});
  return configurations;
}

/// A configuration with its row.
using Planned = std::pair<Configuration, PlanRow>;

/// Keeps of each ranks, batch and codec the first, fastest one.
void keep_best_algorithms(std::vector<Planned>& sorted) {
  std::vector<std::pair<const Group*, std::int32_t>> seen;
  std::erase_if(sorted, [&](const Planned& planned) {
    const std::pair key{planned.first.group, planned.first.batch};
    const bool is_there = std::find(seen.begin(), seen.end(), key) != seen.end();
    if (!is_there) seen.push_back(key);
    return is_there;
  });
}

}  // namespace

MeasuredLearning read_learning(const std::vector<std::string>& paths, const std::string& network,
                               double target) {
  MeasuredLearning learning;
  bool has_noise = false;
  for (const std::string& path : paths) {
    const results::Result result = results::load_result(path);
    if (result.origin != results::Origin::Measured || !result.learning || !result.images ||
        result.learning->curve.empty())
      throw ConfigError(path, "expected what lockstep train --test-every N wrote");
    const training::Job& job = result.job;
    if (!job.batch_growth.empty() || job.local_steps > 0 || job.staleness)
      throw ConfigError(path,
                        "expected a synchronous run with one batch, without --batch-growth, "
                        "--local-steps and --staleness");
    if (job.network != network)
      throw ConfigError(path, "expected a run of the network that is planned for, \"" + network +
                                  "\", is of \"" + job.network + "\"");
    const std::vector<training::AccuracyPoint>& curve = result.learning->curve;
    const std::optional<double> iterations = training::iterations_to(curve, target);
    if (!iterations) {
      double best = 0;
      for (const training::AccuracyPoint& point : curve)
        best = std::max(best, point.accuracy);
      throw ConfigError(path,
                        "never reached the target accuracy: its best was " + std::to_string(best));
    }
    const std::string codec = compression::name_of(job.compression);
    learning.runs.push_back({{codec, job.ranks, job.batch}, *iterations});
    const auto noise = training::noise_spread(result.learning->noise_scale, *iterations);
    if (!noise || has_noise) continue;
    has_noise = true;
    learning.noise = *noise;
    learning.images = result.images->train;
  }
  if (!has_noise)
    throw ConfigError("--learning",
                      "has no estimate of the noise scale up to the target; expected one run of "
                      "lockstep train --noise-scale on --test-every N");
  return learning;
}

Plan make_plan(const training::Job& base, const PlanAxes& axes, const MeasuredLearning& learning,
               const Machines& machines, std::size_t with_interval) {
  std::vector<Group> groups = groups_of(base, axes);
  for_each_index(groups.size(), [&](std::size_t i) { choose(groups[i], axes, machines); });
  std::vector<Planned> planned;
  for (const Configuration& configuration : configurations_of(groups))
    planned.emplace_back(configuration, PlanRow{});
  if (planned.empty())
    throw ConfigError("lockstep plan",
                      "no batch has an image for every rank, or no algorithm is for the codecs");
  for_each_index(planned.size(), [&](std::size_t i) {
    planned[i].second = row_of(planned[i].first, learning, machines, false);
  });
  std::stable_sort(planned.begin(), planned.end(), [](const Planned& a, const Planned& b) {
    return a.second.seconds < b.second.seconds;
  });
  if (axes.only_best_algorithm) keep_best_algorithms(planned);
  for_each_index(std::min(with_interval, planned.size()), [&](std::size_t i) {
    planned[i].second = row_of(planned[i].first, learning, machines, true);
  });
  Plan plan{.measured = learning.runs, .noise = learning.noise};
  for (Planned& one : planned)
    plan.rows.push_back(std::move(one.second));
  for (const Group& group : groups)
    plan.slow += group.slow;
  return plan;
}

}  // namespace lockstep::cli
