// SPDX-License-Identifier: Apache-2.0
#include "cli/simulated_training.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <vector>

#include "cli/disturbed.h"
#include "models/base/errors.h"
#include "models/cost/turns.h"
#include "models/schedule/facts.h"
#include "models/training/batch_growth.h"

namespace lockstep::cli {

namespace {

struct Stretch {
  std::int32_t first = 0;       // its first iteration
  std::int32_t iterations = 0;  // of the job
  std::int32_t turn = 1;        // iterations after which it repeats itself
};

std::vector<Stretch> stretches_of(const training::Phase& phase) {
  const training::Job& job = phase.job;
  const std::int32_t done = phase.first, iterations = phase.iterations;
  if (job.local_steps == 0) return {{.first = done, .iterations = iterations}};
  const std::int32_t from = std::max(done, job.local_from);
  // Averages come after whole turns from local_from on.
  const std::int32_t first =
      job.local_from + (from - job.local_from) / job.local_steps * job.local_steps;
  const std::int32_t synchronous = std::min(from - done, iterations);
  std::vector<Stretch> stretches;
  if (synchronous > 0) stretches.push_back({.first = done, .iterations = synchronous});
  if (iterations == 0 || iterations > synchronous)
    stretches.push_back(
        {.first = first, .iterations = iterations - synchronous, .turn = job.local_steps});
  return stretches;
}

/// As many turns as it takes for the machine's jitter to average out, or as a moment's simulating
/// gives; of many ranks a few will do, since each iteration waits for the slowest of so many draws.
std::int32_t simulated_turns(std::uint64_t messages, std::int32_t turn) {
  constexpr std::uint64_t kMessages = 50'000;
  constexpr std::int32_t kIterations = 60;
  const std::uint64_t affordable = kMessages / std::max<std::uint64_t>(1, messages);
  const auto wanted = static_cast<std::uint64_t>((kIterations + turn - 1) / turn);
  return static_cast<std::int32_t>(std::clamp<std::uint64_t>(affordable, 1, wanted));
}

sim::Fidelity fidelity_of(const training::Job& job) {
  switch (job.fidelity) {
    case training::Fidelity::Ideal:
      return sim::Fidelity::Ideal;
    case training::Fidelity::Flow:
      break;
    case training::Fidelity::Packet:
      return sim::Fidelity::Packet;
  }
  return sim::Fidelity::Flow;
}

sim::Options options_of(const ResolvedJob& resolved, const Stretch& stretch, double jitter,
                        bool with_spans) {
  const training::Job& job = resolved.job;
  sim::Options options;
  options.fidelity = fidelity_of(job);
  std::uint64_t messages = 0;  // of one turn, which communicates in its last iteration
  const schedule::Schedule running =
      in_iteration(resolved.iteration.schedule, stretch.first + stretch.turn - 1);
  // Packets are cheaper than messages, of which each rank has to start both ends.
  constexpr std::uint64_t kBytesOfMessage = 40 * 1448;
  for (const schedule::PairBytes& pair : schedule::rank_facts(running, 0).sent)
    messages += static_cast<std::uint64_t>(job.ranks) *
                (options.fidelity == sim::Fidelity::Packet
                     ? std::max(pair.messages, pair.bytes / kBytesOfMessage)
                     : pair.messages);
  // The first turn differs in that all ranks begin it together. Where one takes seconds to
  // simulate, its all-reduce has so many rounds that this is soon forgotten.
  constexpr std::uint64_t kManyMessages = 1'000'000;
  options.first_iteration = stretch.first;
  options.warm_up_iterations = messages < kManyMessages ? stretch.turn : 0;
  options.iterations = stretch.turn * simulated_turns(messages, stretch.turn);
  if (resolved.conditions.is_random()) options.iterations *= 5;  // what is rare has to happen too
  options.compute_noise = jitter;
  options.disturbances = disturbances_of(resolved);
  options.fold = true;
  options.record_spans = with_spans;
  options.seed = job.seed;
  return options;
}

ResolvedJob in_phase(const ResolvedJob& whole, const training::Phase& phase) {
  if (whole.job.batch_growth.empty()) return whole;
  if (!whole.conditions.batches.empty())
    throw ConfigError("--conditions",
                      "the ranks' batches are of one batch, which --batch-growth "
                      "changes");
  ResolvedJob resolved = resolve(phase.job, whole.network, whole.topology);
  resolved.conditions = whole.conditions;
  resolved.others = whole.others;
  return resolved;
}

/// All iterations alike are the first one again: they must not run on into the next stretch.
schedule::Schedule schedule_of(const ResolvedJob& resolved, const Stretch& stretch) {
  const schedule::Schedule& whole = resolved.iteration.schedule;
  return stretch.turn == 1 ? in_iteration(whole, stretch.first) : whole;
}

/// A job as it is simulated beside others. Stays where it is: parts of it are referred to.
struct Simulated {
  schedule::Schedule schedule;
  cost::CostModel cost;
  const std::vector<HostId>& host_of_rank;
  Time start;
  std::int32_t turn;
  sim::Options options;

  sim::JobOnNetwork on_network() const { return {schedule, cost, host_of_rank, options}; }
};

/// What is measured of a job comes after the start of all others. Beside them its iterations take
/// no less, as a rule, than alone.
void warm_up_until(Time latest, const topology::Topology& topology, Simulated& job) {
  sim::Options alone = job.options;
  alone.warm_up_iterations = 0;
  alone.iterations = job.turn;
  const double turn =
      simulate(job.schedule, job.cost, topology, job.host_of_rank, alone).end_seconds();
  const double turns = std::ceil((latest - job.start).seconds() / std::max(turn, 1e-6));
  job.options.warm_up_iterations += static_cast<std::int32_t>(turns) * job.turn;
  job.options.starts.assign(job.host_of_rank.size(), job.start);
  job.options.goes_on = true;
  job.options.fold = false;
}

/// The job's part of a simulation with its others, each in the last stretch of its training.
sim::SimulatedRun simulate_among_others(const ResolvedJob& resolved, const Stretch& stretch,
                                        const sim::Options& options,
                                        const topology::Topology& topology,
                                        const Machines& machines) {
  std::deque<Simulated> jobs;
  jobs.push_back({schedule_of(resolved, stretch), make_cost_model(resolved, machines),
                  resolved.host_of_rank, resolved.start, stretch.turn, options});
  for (const ResolvedJob& other : resolved.others) {
    const Stretch last = stretches_of(training::phases_of(other.job, 0).front()).back();
    cost::CostModel cost = make_cost_model(other, machines);
    const sim::Options own = options_of(other, last, jitter_of(other, cost), false);
    jobs.push_back({schedule_of(other, last), std::move(cost), other.host_of_rank, other.start,
                    last.turn, own});
  }
  Time latest;
  for (const Simulated& job : jobs)
    latest = std::max(latest, job.start);
  std::vector<sim::JobOnNetwork> given;
  for (Simulated& job : jobs) {
    warm_up_until(latest, topology, job);
    given.push_back(job.on_network());
  }
  return std::move(sim::simulate_together(given, topology).front());
}

/// `count` times the mean of what has been simulated of one stretch is added to `all`.
void append(const sim::SimulatedRun& run, std::size_t count, sim::SimulatedRun& all) {
  const std::size_t simulated = run.iterations.front().size();
  const double share = static_cast<double>(count) / static_cast<double>(simulated);
  const auto add = [&](const std::vector<std::uint64_t>& from, std::vector<std::uint64_t>& into) {
    into.resize(from.size());
    for (std::size_t i = 0; i < from.size(); ++i)
      into[i] += static_cast<std::uint64_t>(std::llround(share * static_cast<double>(from[i])));
  };
  add(run.bytes_sent, all.bytes_sent);
  add(run.link_bytes, all.link_bytes);
  all.iterations.resize(run.iterations.size());
  for (std::size_t rank = 0; rank < run.iterations.size(); ++rank)
    for (std::size_t i = 0; i < count; ++i)
      all.iterations[rank].push_back(run.iterations[rank][i % simulated]);
  all.bucket_seconds.resize(run.bucket_seconds.size());
  for (std::size_t bucket = 0; bucket < run.bucket_seconds.size(); ++bucket)
    all.bucket_seconds[bucket] += static_cast<double>(count) * run.bucket_seconds[bucket];
  all.spans.insert(all.spans.end(), run.spans.begin(), run.spans.end());
}

}  // namespace

double jitter_of(const ResolvedJob& resolved, const cost::CostModel& cost) {
  if (resolved.conditions.compute_jitter) return *resolved.conditions.compute_jitter;
  if (resolved.job.fidelity == training::Fidelity::Ideal) return 0;
  const cost::Machine& machine = cost.machine(0);
  const ComputingHost host = computing_host(resolved, 0, machine);
  if (host.has_quota) return machine.iteration_jitter;  // its pauses are simulated
  double seconds = 0;
  for (std::size_t work = 0; work < resolved.iteration.works.size(); ++work)
    seconds += cost.compute(0, static_cast<std::int32_t>(work)).seconds;
  return cost::compute_jitter(machine, host.cores, host.threads,
                              seconds * std::max(1.0, host.threads / host.cores));
}

sim::SimulatedRun simulate_training(const ResolvedJob& whole, const topology::Topology& topology,
                                    const Machines& machines, const Wanted& wanted) {
  constexpr std::int32_t kLaidOut = 1000;  // iterations: enough for percentiles
  const std::int32_t iterations = whole.job.iterations;
  const std::vector<training::Phase> phases =
      training::phases_of(whole.job, wanted.iterations_done);
  sim::SimulatedRun all;
  double laid_out = 0;
  for (const training::Phase& phase : phases) {
    const ResolvedJob resolved = in_phase(whole, phase);
    const cost::CostModel cost = make_cost_model(resolved, machines);
    const std::vector<Stretch> stretches = stretches_of(phase);
    for (const Stretch& stretch : stretches) {
      const sim::Options options =
          options_of(resolved, stretch, jitter_of(resolved, cost),
                     (wanted.spans || wanted.explanation) && laid_out == 0);
      sim::SimulatedRun run =
          resolved.others.empty()
              ? sim::simulate(schedule_of(resolved, stretch), cost, topology, resolved.host_of_rank,
                              options)
              : simulate_among_others(resolved, stretch, options, topology, machines);
      if (phases.size() == 1 && stretches.size() == 1) return run;
      const std::int64_t laid = std::int64_t{stretch.iterations} * std::min(iterations, kLaidOut);
      const std::int64_t count = (laid + iterations - 1) / iterations;
      append(run, static_cast<std::size_t>(count), all);
      laid_out += static_cast<double>(count);
    }
  }
  for (double& seconds : all.bucket_seconds)
    seconds /= laid_out;
  return all;
}

}  // namespace lockstep::cli
