// SPDX-License-Identifier: Apache-2.0
#include "cli/collective_prediction.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "models/schedule/facts.h"
#include "sim/runner/simulation.h"

namespace lockstep::cli {

std::string with_share(const std::string& what, double share) {
  char text[32];
  std::snprintf(text, sizeof text, " (%.0f %%)", 100 * share);
  return what + text;
}

namespace {

/// The busiest processor or link, if it is busy most of the time; else the latencies that follow
/// one another.
std::string dominant(const sim::SimulatedRun& run, const topology::Topology& topology,
                     double seconds) {
  constexpr double kMost = 0.5;
  double most = 0;
  std::string name;
  for (std::size_t p = 0; p < run.processor_seconds.size(); ++p) {
    if (run.processor_seconds[p] <= most) continue;
    most = run.processor_seconds[p];
    name = "processor " + std::to_string(p);
  }
  for (std::size_t link = 0; link < topology.links.size(); ++link) {
    const double busy =
        static_cast<double>(run.link_bytes[link]) / topology.links[link].payload_bytes_per_second();
    if (busy <= most) continue;
    most = busy;
    name = "link " + topology.link_name(static_cast<LinkId>(link));
  }
  return most > kMost * seconds ? with_share(name, most / seconds) : "latency and waiting";
}

}  // namespace

CollectivePrediction predict_collective(const schedule::Schedule& schedule,
                                        const Cluster& cluster) {
  const cost::CostModel cost =
      make_cost_model(cluster.topology, cluster.host_of_rank, *cluster.machines,
                      {.how = cluster.intra_host,
                       .working_set_bytes = walked_bytes(schedule, cluster.host_of_rank)});

  std::uint64_t messages = 0;
  for (const schedule::PairBytes& pair : schedule::rank_facts(schedule, 0).sent)
    messages += pair.messages;
  sim::Options options;
  constexpr std::uint64_t kMessages = 2000;  // of a rank: enough for ranks to fall into step
  options.iterations = static_cast<std::int32_t>(
      std::clamp<std::uint64_t>(kMessages / std::max<std::uint64_t>(1, messages), 2, 20));
  options.warm_up_iterations = 1;
  const sim::SimulatedRun run =
      sim::simulate(schedule, cost, cluster.topology, cluster.host_of_rank, options);
  const std::vector<results::IterationFigures>& first = run.iterations.front();
  const double total = (first.back().end - first.front().start).seconds();
  return {total / options.iterations, dominant(run, cluster.topology, total)};
}

}  // namespace lockstep::cli
