// SPDX-License-Identifier: Apache-2.0
#include "cli/prediction.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <string>

#include "cli/disturbed.h"
#include "cli/simulated_training.h"
#include "models/base/errors.h"
#include "models/cost/turns.h"
#include "models/results/trace_json.h"

namespace lockstep::cli {

namespace {

using results::Result;

std::vector<results::LinkFigures> link_figures(const topology::Topology& topology,
                                               const sim::SimulatedRun& run, double iterations,
                                               double seconds) {
  std::vector<results::LinkFigures> figures;
  for (std::size_t link = 0; link < topology.links.size(); ++link) {
    const double bytes = static_cast<double>(run.link_bytes[link]) / iterations;
    const double capacity = topology.links[link].payload_bytes_per_second() * seconds;
    figures.push_back({topology.link_name(static_cast<LinkId>(link)),
                       static_cast<std::uint64_t>(bytes), capacity > 0 ? bytes / capacity : 0});
  }
  return figures;
}

std::vector<results::RankFigures> rank_figures(const ResolvedJob& resolved,
                                               const sim::SimulatedRun& run) {
  const std::vector<std::int32_t> batches = resolved.batch_of_rank();
  const std::vector<std::string> hosts = resolved.host_name_of_rank();
  std::vector<results::RankFigures> figures;
  for (std::size_t rank = 0; rank < run.iterations.size(); ++rank)
    figures.push_back(results::rank_figures(static_cast<Rank>(rank), hosts[rank], batches[rank],
                                            run.iterations[rank],
                                            run.bytes_sent[rank] / run.iterations[rank].size()));
  return figures;
}

/// Simulates again with computing, with messages and with links slower by one standard deviation of
/// what is known of each: what hides behind something else moves the iteration less, or not at all.
std::pair<double, double> interval(const ResolvedJob& resolved, const Machines& machines,
                                   const cost::CostModel& cost, double seconds) {
  constexpr double kLinkSpread = 0.02;  // rates are taken at the topology's word
  // What predictions are off by for reasons that no model here knows (tests/validation/README.md).
  constexpr double kModelSpread = 0.04;
  const auto change = [&](const topology::Topology& topology, const Machines& slower) {
    const sim::SimulatedRun run = simulate_training(resolved, topology, slower, {});
    return results::summarise(run.iterations, run.bytes_sent, 0).iteration_seconds.mean - seconds;
  };
  Machines computing = machines, messages = machines;
  // What turns and quotas cost is known to a half.
  const double jitter = jitter_of(resolved, cost);
  for (auto& [kind, machine] : computing) {
    const double slowdown = computing_host(resolved, 0, machine).slowdown - 1;
    cost::scale_computing(machine,
                          1 + std::hypot(cost.compute_spread(0), machine.run_to_run_residual,
                                         std::hypot(jitter, slowdown) / 2));
  }
  for (auto& [kind, machine] : messages) {
    const double residual =
        std::max(machine.message.relative_residual,
                 machine.between_hosts ? machine.between_hosts->relative_residual : 0);
    cost::scale_messages(
        machine, 1 + std::hypot(residual, machine.combine_residual, machine.run_to_run_residual));
  }
  topology::Topology links = resolved.topology;
  for (topology::Link& link : links.links)
    link.bytes_per_second /= 1 + kLinkSpread;
  const cost::Interval interval = cost::interval_90(
      seconds, {change(resolved.topology, computing), change(resolved.topology, messages),
                change(links, machines), kModelSpread * seconds});
  return {interval.low, interval.high};
}

results::Explanation explanation_of(const ResolvedJob& resolved, const sim::SimulatedRun& run,
                                    const std::vector<results::TraceSpan>& spans,
                                    std::int32_t iteration) {
  std::uint64_t bytes = 0;
  for (const training::Bucket& bucket : resolved.iteration.buckets)
    bytes += 4 * bucket.count;
  const std::vector<std::string> works = training::work_names(resolved.iteration, resolved.network);
  return results::explain({.schedule = resolved.iteration.schedule,
                           .spans = spans,
                           .iterations = run.iterations,
                           .topology = resolved.topology,
                           .host_of_rank = resolved.host_of_rank,
                           .work_names = works,
                           .seed = resolved.job.seed,
                           .gradient_bytes = resolved.iteration.codes.empty() ? bytes : 0},
                          iteration);
}

/// The throughput against ranks times that of one rank alone with the same batch per rank.
void add_scaling_efficiency(results::Result& result, const results::Result& baseline) {
  const training::Job& job = result.job;
  const training::Job& one = baseline.job;
  if (one.ranks != 1 || std::int64_t{one.batch} * job.ranks != job.batch ||
      one.network != job.network)
    throw ConfigError("--baseline", "expected a result of one rank with network \"" + job.network +
                                        "\" and batch " + std::to_string(job.batch / job.ranks) +
                                        ", is of " + std::to_string(one.ranks) +
                                        " rank(s), network \"" + one.network + "\", batch " +
                                        std::to_string(one.batch));
  result.summary.scaling_efficiency =
      result.summary.images_per_second / (job.ranks * baseline.summary.images_per_second);
}

}  // namespace

std::vector<results::BatchFigures> batch_figures(const training::Job& job, std::int32_t done) {
  std::vector<results::BatchFigures> figures;
  if (job.batch_growth.empty()) return figures;
  for (const training::Phase& phase : training::phases_of(job, done))
    figures.push_back({phase.first, phase.job.batch, phase.job.accumulate});
  return figures;
}

Prediction predict(const ResolvedJob& resolved, const Machines& machines, const Wanted& wanted) {
  const cost::CostModel cost = make_cost_model(resolved, machines);
  const sim::SimulatedRun run = simulate_training(resolved, resolved.topology, machines, wanted);
  const std::size_t iterations = run.iterations.front().size();

  Prediction prediction;
  Result& result = prediction.result;
  result.origin = results::Origin::Predicted;
  result.job = resolved.job;
  result.topology = resolved.topology;
  result.conditions = resolved.conditions;
  result.machine_json = cost::to_json(cost.machine(0));
  std::vector<std::uint64_t> bytes_sent = run.bytes_sent;
  for (std::uint64_t& bytes : bytes_sent)
    bytes /= iterations;
  result.summary = results::summarise(run.iterations, bytes_sent,
                                      training::mean_batch(resolved.job, wanted.iterations_done),
                                      resolved.independent_shares());
  result.batches = batch_figures(resolved.job, wanted.iterations_done);
  if (wanted.interval)
    result.summary.interval_90 =
        interval(resolved, machines, cost, result.summary.iteration_seconds.mean);
  for (std::size_t b = 0; b < resolved.iteration.buckets.size(); ++b)
    result.buckets.push_back({static_cast<std::int32_t>(b), 4 * resolved.iteration.buckets[b].count,
                              run.bucket_seconds[b]});
  result.links = link_figures(resolved.topology, run, static_cast<double>(iterations),
                              result.summary.iteration_seconds.mean);
  result.ranks = rank_figures(resolved, run);
  result.jobs = job_figures(resolved, machines, result.summary.iteration_seconds.mean);
  if (resolved.conditions.failure)
    result.failure = after_failure(resolved, machines, cost, result.summary.iteration_seconds.mean);
  constexpr std::int32_t kTracedIterations = 4;  // as many as a real run keeps
  for (const results::TraceSpan& span : run.spans)
    if (span.iteration < kTracedIterations) prediction.spans.push_back(span);
  if (wanted.explanation) {
    const auto last = std::min<std::size_t>(kTracedIterations, iterations) - 1;
    prediction.explanation =
        explanation_of(resolved, run, prediction.spans, static_cast<std::int32_t>(last));
    result.explanation_json = results::to_json(*prediction.explanation);
  }
  for (const std::string& row : cost.estimated_rows())
    prediction.cautions.push_back("not measured, priced by a roofline: " + row);
  for (const std::string& row : cost.extrapolated_rows())
    prediction.cautions.push_back("outside what was measured: " + row);
  return prediction;
}

results::Provenance provenance(std::uint64_t seed) {
  results::Provenance provenance;
  provenance.version = LOCKSTEP_VERSION;
  provenance.seed = seed;
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  provenance.host = host;
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  provenance.time = text;
  return provenance;
}

void write_trace(const std::string& path, const ResolvedJob& resolved,
                 const std::vector<results::TraceSpan>& spans,
                 const results::Explanation* explanation) {
  const std::vector<std::string> works = training::work_names(resolved.iteration, resolved.network);
  const std::vector<std::string> hosts = resolved.host_name_of_rank();
  results::write_file(path, results::to_chrome_trace(resolved.iteration.schedule, works, hosts,
                                                     spans, explanation));
}

void add_result_options(options::options_description& description) {
  auto add = description.add_options();
  add("out", options::value<std::string>(), "write the result as JSON");
  add("trace", options::value<std::string>(), "write a Chrome trace of all ranks");
  add("baseline", options::value<std::string>(),
      "result of one rank with the same batch per rank: gives the scaling efficiency");
}

void check_outputs(const options::variables_map& values, const std::vector<std::string>& flags) {
  for (const std::string& flag : flags) {
    if (!values.count(flag)) continue;
    const std::filesystem::path path = values[flag].as<std::string>();
    const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
    if (!std::filesystem::is_directory(folder))
      throw ConfigError("--" + flag, "the folder \"" + folder.string() + "\" does not exist");
  }
}

void apply_baseline(const options::variables_map& values, results::Result& result) {
  if (values.count("baseline"))
    add_scaling_efficiency(result, results::load_result(values["baseline"].as<std::string>()));
}

void print_cautions(const std::vector<std::string>& cautions) {
  constexpr std::size_t kShown = 3;
  for (std::size_t i = 0; i < std::min(kShown, cautions.size()); ++i)
    std::fprintf(stderr, "caution: %s\n", cautions[i].c_str());
  if (cautions.size() > kShown)
    std::fprintf(stderr, "caution: and %zu rows more\n", cautions.size() - kShown);
}

void print_summary(const Result& result) {
  const results::Summary& summary = result.summary;
  const char* origin = result.origin == results::Origin::Predicted ? "predicted" : "measured";
  std::printf("%s: %s, %d rank(s), batch %d, %s\n", origin, result.job.network.c_str(),
              result.job.ranks, result.job.batch, training::algorithm_of(result.job).c_str());
  std::printf("  iteration             %s", format_seconds(summary.iteration_seconds.mean).c_str());
  if (summary.interval_90)
    std::printf("  (90 %%: %s to %s)", format_seconds(summary.interval_90->first).c_str(),
                format_seconds(summary.interval_90->second).c_str());
  else
    std::printf("  (median %s, 95th percentile %s)",
                format_seconds(summary.iteration_seconds.p50).c_str(),
                format_seconds(summary.iteration_seconds.p95).c_str());
  std::printf("\n  images per second     %.0f\n", summary.images_per_second);
  if (summary.scaling_efficiency)
    std::printf("  scaling efficiency    %.1f %%\n", 100 * *summary.scaling_efficiency);
  std::printf("  computing             %s\n", format_seconds(summary.compute_seconds).c_str());
  std::printf("  exposed communication %s, of which waiting %s\n",
              format_seconds(summary.exposed_communication_seconds).c_str(),
              format_seconds(summary.wait_seconds).c_str());
  std::printf("  sent per rank         %s\n",
              format_bytes(static_cast<double>(summary.bytes_sent_per_rank)).c_str());
  print_conditions(result);
  if (result.learning && !result.learning->loss.empty() &&
      !std::isfinite(result.learning->loss.back()))
    std::printf(
        "  loss                  diverged: not a number any more; try a lower --learning-rate\n");
  else if (result.learning && !result.learning->loss.empty())
    std::printf("  loss                  %.4f → %.4f\n", result.learning->loss.front(),
                result.learning->loss.back());
  if (result.learning && result.learning->test_accuracy)
    std::printf("  test accuracy         %.2f %%\n", 100 * *result.learning->test_accuracy);
  if (result.learning && !result.learning->noise_scale.empty())
    std::printf("  noise scale           %.0f images at the end\n",
                result.learning->noise_scale.back());
  if (!result.images) return;
  std::printf(
      "  images                %d to train on, %d to test with; %s of a core each to load\n",
      result.images->train, result.images->test,
      format_seconds(result.images->core_seconds_per_image).c_str());
  if (result.images->skipped > 0)
    std::printf("  skipped               %d, the first %s\n", result.images->skipped,
                result.images->skipped_files.front().c_str());
}

}  // namespace lockstep::cli
