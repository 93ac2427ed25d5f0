// SPDX-License-Identifier: Apache-2.0
// The order in which things happen, to one job or to several on one network.
#include <algorithm>
#include <deque>
#include <limits>

#include "models/base/errors.h"
#include "sim/runner/run.h"

namespace lockstep::sim {

namespace {

constexpr std::uint64_t kMostPackets = 100'000'000;

/// No two jobs have ranks on one host: what they share is links.
void check_hosts(std::span<const JobOnNetwork> jobs, const topology::Topology& topology) {
  std::vector<std::size_t> job_of_host(topology.hosts.size(), jobs.size());
  for (std::size_t job = 0; job < jobs.size(); ++job)
    for (const HostId host : jobs[job].host_of_rank) {
      std::size_t& known = job_of_host.at(static_cast<std::size_t>(host));
      LOCKSTEP_CHECK(known == jobs.size() || known == job,
                     "two jobs on host " + std::to_string(host));
      known = job;
    }
}

/// All that happens at one time is worked off in rounds, so that its order, which is chance, means
/// nothing: first the events of that time; then the ranks they concern, each for itself, take in
/// what has arrived and start what they may; which may make more events of that time. When there
/// are none left, the flows that begin at that time enter the network and all rates are settled.
void run_all(std::deque<Run>& runs, SharedNetwork& network) {
  EventQueue& queue = network.queue;
  const auto kinds = static_cast<std::uint8_t>(runs.size() * Run::event_kinds());
  const auto handle_next = [&] {
    const Event event = queue.pop();
    if (event.kind >= kinds) {
      const LinuxNetwork::Delivery delivery = network.tcp->handle(event);
      if (delivery.messages == 0) return;
      const SharedNetwork::End& end = network.ends[delivery.connection];
      return runs[end.job].delivered(end.channel, delivery.messages);
    }
    const auto job = static_cast<std::uint8_t>(event.kind / Run::event_kinds());
    runs[job].handle(static_cast<std::uint8_t>(event.kind - job * Run::event_kinds()), event);
  };
  const bool is_endless =
      std::any_of(runs.begin(), runs.end(), [](const Run& run) { return run.is_endless(); });
  const auto are_over = [&] {
    return std::all_of(runs.begin(), runs.end(), [](const Run& run) { return run.is_over(); });
  };
  while (!is_endless || !are_over()) {
    while (queue.next_time() == queue.now() && !queue.empty())
      handle_next();
    bool turned = false;
    for (Run& run : runs)
      turned |= run.take_turns();
    if (turned) continue;
    for (Run& run : runs)
      run.enter_flows();
    if (network.fluid.unsettled())
      network.fluid.settle();
    else if (network.tcp && network.tcp->packets() > kMostPackets)
      throw ConfigError("packet",
                        "more than " + std::to_string(kMostPackets) +
                            " packets: too large a case for this fidelity, flow will do it");
    else if (!queue.empty())
      handle_next();
    else
      break;
  }
}

}  // namespace

std::vector<SimulatedRun> simulate_together(std::span<const JobOnNetwork> jobs,
                                            const topology::Topology& topology) {
  LOCKSTEP_CHECK(jobs.size() <= kMostJobs, std::to_string(jobs.size()) + " jobs");
  static_assert(kMostJobs * Run::event_kinds() + LinuxNetwork::kKinds <=
                std::numeric_limits<std::uint8_t>::max());
  if (jobs.size() > 1) check_hosts(jobs, topology);
  const Fidelity fidelity = jobs.empty() ? Fidelity::Flow : jobs.front().options.fidelity;
  SharedNetwork network(topology, static_cast<std::uint8_t>(jobs.size() * Run::event_kinds()),
                        fidelity == Fidelity::Packet);
  std::deque<Run> runs;
  for (const JobOnNetwork& job : jobs) {
    LOCKSTEP_CHECK(
        jobs.size() == 1 || (!job.options.fold && job.options.fidelity != Fidelity::Ideal),
        "several jobs run unfolded, on links that they share");
    LOCKSTEP_CHECK(job.options.fidelity == fidelity, "jobs of two fidelities on one network");
    const std::vector<Disturbances::Outage>& outages = job.options.disturbances.outages;
    LOCKSTEP_CHECK(jobs.size() == 1 || std::none_of(outages.begin(), outages.end(),
                                                    [](const auto& one) { return one.avoided; }),
                   "several jobs do not avoid links");
    runs.emplace_back(job, topology, network, static_cast<std::uint8_t>(runs.size()));
  }
  for (Run& run : runs)
    run.begin();
  run_all(runs, network);
  std::vector<SimulatedRun> results;
  for (Run& run : runs)
    results.push_back(run.take());
  return results;
}

SimulatedRun simulate(const schedule::Schedule& schedule, const cost::CostModel& cost,
                      const topology::Topology& topology, std::span<const HostId> host_of_rank,
                      const Options& options) {
  const JobOnNetwork job{schedule, cost, host_of_rank, options};
  return std::move(simulate_together({&job, 1}, topology).front());
}

double SimulatedRun::end_seconds() const {
  Time last;
  for (const std::vector<results::IterationFigures>& of_rank : iterations)
    last = std::max(last, of_rank.back().end);
  return last.seconds();
}

}  // namespace lockstep::sim
