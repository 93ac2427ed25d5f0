// SPDX-License-Identifier: Apache-2.0
#include "cli/choose.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <map>

#include "models/cost/exchange.h"
#include "models/schedule/facts.h"

namespace lockstep::cli {

namespace {

/// What closed forms call so many times slower than their best is not simulated. They know neither
/// shared links nor shared processors: what a rank sends to all others at once seems to take as
/// long as one message, and on one host takes as many times as long as there are ranks.
double spread_of(const Cluster& cluster) {
  constexpr double kLeast = 8, kPerRankOfHost = 4;
  std::map<HostId, double> ranks;
  double most = 0;
  for (const HostId host : cluster.host_of_rank)
    most = std::max(most, ++ranks[host]);
  return std::max(kLeast, kPerRankOfHost * most);
}

/// Simulating takes about a second per two million messages.
constexpr double kMostMessages = 20e6;
constexpr std::size_t kFewest = 3;  // candidates that are simulated whatever it takes

/// What the closed forms need to know: the slowest pair of ranks.
collectives::IdealNetwork ideal_network(const Cluster& cluster) {
  double latency = 0;
  double bytes_per_second = std::numeric_limits<double>::max();
  const cost::Machine& machine = cluster.machines->begin()->second;
  const auto exchanges = machine.exchanges.find(cluster.intra_host);
  const bool several_hosts =
      std::adjacent_find(cluster.host_of_rank.begin(), cluster.host_of_rank.end(),
                         std::not_equal_to<>()) != cluster.host_of_rank.end();
  if (!several_hosts && exchanges != machine.exchanges.end() &&
      !exchanges->second.together.empty()) {
    constexpr double kLarge = 1 << 18;
    const auto tiny =
        polled_message(exchanges->second, cost::Nearness::Apart, 0, 0, schedule::Operator::Sum);
    const auto large = polled_message(exchanges->second, cost::Nearness::Apart, 0, kLarge,
                                      schedule::Operator::Sum);
    latency = tiny.send_seconds + tiny.receive_seconds + tiny.latency_seconds;
    bytes_per_second = kLarge / (large.send_seconds + large.receive_seconds);
  } else {
    const cost::MessageCost& message = machine.message;
    latency =
        message.send_overhead_seconds + message.receive_overhead_seconds + message.latency_seconds;
    bytes_per_second = machine.loopback_bytes_per_second;
    for (const topology::Link& link : cluster.topology.links) {
      latency = std::max(latency, message.latency_seconds + 2 * link.latency.seconds());
      bytes_per_second = std::min(bytes_per_second, link.payload_bytes_per_second());
    }
  }
  return {Time::from_seconds(latency), bytes_per_second};
}

double messages_of(const schedule::Schedule& schedule) {
  double messages = 0;
  for (const schedule::PairBytes& pair : schedule::rank_facts(schedule, 0).sent)
    messages += static_cast<double>(pair.messages);
  return messages * schedule.ranks;
}

}  // namespace

std::vector<collectives::Choice> shortlist(const collectives::Operation& operation,
                                           std::int64_t segment_bytes, const Cluster& cluster,
                                           double times,
                                           const std::vector<collectives::Algorithm>& named) {
  const collectives::IdealNetwork network = ideal_network(cluster);
  std::vector<collectives::Choice> choices;
  if (!named.empty()) {
    const std::vector<collectives::Choice> all = collectives::candidates(
        operation, segment_bytes, network, std::numeric_limits<double>::max());
    for (const collectives::Algorithm algorithm : named) {
      const auto best = std::find_if(
          all.begin(), all.end(),
          [&](const collectives::Choice& choice) { return choice.algorithm == algorithm; });
      if (best != all.end()) choices.push_back(*best);
    }
    return choices;
  }
  double messages = 0;
  for (const collectives::Choice& choice :
       collectives::candidates(operation, segment_bytes, network, spread_of(cluster))) {
    messages += times * messages_of(collectives::make_schedule(
                            choice.algorithm, collectives::with(operation, choice)));
    if (messages <= kMostMessages || choices.size() < kFewest) choices.push_back(choice);
  }
  return choices;
}

void sort_by_merit(std::vector<Candidate>& candidates) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.seconds < b.seconds; });
}

std::vector<Candidate> rank_candidates(const collectives::Operation& operation,
                                       std::int64_t segment_bytes, const Cluster& cluster,
                                       std::int32_t parts) {
  std::vector<Candidate> candidates;
  for (const collectives::Choice& choice : shortlist(operation, segment_bytes, cluster)) {
    const schedule::Schedule schedule =
        collectives::make_schedule(choice.algorithm, collectives::with(operation, choice), parts);
    const CollectivePrediction prediction = predict_collective(schedule, cluster);
    candidates.push_back({choice, prediction.seconds, prediction.dominated_by});
  }
  sort_by_merit(candidates);
  return candidates;
}

void explain(const std::vector<Candidate>& candidates) {
  std::printf("%-56s %12s %8s  %s\n", "candidate", "predicted", "", "most of it is");
  for (const Candidate& candidate : candidates)
    std::printf("%-56s %12s %+7.0f %%  %s\n", collectives::describe(candidate.choice).c_str(),
                format_seconds(candidate.seconds).c_str(),
                100 * (candidate.seconds / candidates.front().seconds - 1),
                candidate.dominated_by.c_str());
}

}  // namespace lockstep::cli
