// SPDX-License-Identifier: Apache-2.0
// Runs a schedule on a topology in simulated time. All that a step costs comes from the cost model
// and the topology; all that a rank does comes from its Progress.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/base/ids.h"
#include "models/cost/cost_model.h"
#include "models/results/recorder.h"
#include "models/results/trace.h"
#include "models/schedule/schedule.h"
#include "models/topology/topology.h"

namespace lockstep::sim {

/// Ideal: each step at its own cost, nothing contended: a message takes
///   send overhead + latency + bytes × max(1 / route rate, send cost, receive cost per byte)
///   + receive overhead. A Send is complete with its message's arrival, or once copied if the
///   message fits the window. Closed forms hold.
/// Flow: what runs at one time shares cores, memory bandwidth, loopbacks, links and communication
/// lanes, max-min fairly (README.md tells the rules).
/// Packet: as Flow, but messages between hosts go packet by packet through queues, as Linux's TCP
///   sends them (../packet); hosts copy a message before it leaves and after it has arrived. For
///   small cases. Of packets at one time, the one that was sent first goes first.
enum class Fidelity : std::uint8_t { Ideal, Flow, Packet };

/// What slows a run down besides itself. Links are those of flow networks, without bursts; those
/// that are named more than once lose the sum, at most everything.
struct Disturbances {
  /// The rank's computing takes `factor` times as long, in iterations that are drawn.
  struct Straggler {
    Rank rank = 0;
    double factor = 1;
    double probability = 1;
  };
  /// Others take that share of the link: from time to time, for times from exponential
  /// distributions with these means, or always where `off` is 0.
  struct Traffic {
    LinkId link = 0;
    double share = 0;
    double on_seconds = 0;
    double off_seconds = 0;
  };
  /// From `from` until `until` the rank starts nothing, or the link carries nothing. A link that is
  /// `avoided` afterwards stays out: what would pass there, and what is left of the messages that
  /// stand still, takes shortest paths without it, which there must be. One link of one job.
  struct Outage {
    Rank rank = -1;
    LinkId link = -1;
    Time from;
    Time until;
    bool avoided = false;
  };
  std::vector<Straggler> stragglers;
  std::vector<Traffic> traffic;
  std::vector<Outage> outages;

  bool is_empty() const { return stragglers.empty() && traffic.empty() && outages.empty(); }
};

struct Options {
  Fidelity fidelity = Fidelity::Flow;
  std::int32_t iterations = 1;          // that are measured
  std::int32_t warm_up_iterations = 0;  // before them; they leave no trace in the result
  std::int32_t first_iteration = 0;     // the number of the first: see schedule::Fragment::when
  bool record_spans = false;
  /// Standard deviation ÷ mean of the computing time of one iteration of one rank: a normal factor,
  /// drawn from `seed` for each (rank, iteration), on all its Compute steps. 0 = none.
  double compute_noise = 0;
  std::uint64_t seed = 0;
  Disturbances disturbances{};
  /// Simulate what is alike once (folding.h). The result is the same, bit for bit, but for
  /// `events`. Runs with spans, noise, disturbances, starts or packets are not folded.
  bool fold = false;
  /// [rank] When its first iteration begins; empty = all at once.
  std::vector<Time> starts{};
  /// After the measured iterations ranks begin others, which are not measured, until those of all
  /// jobs are over.
  bool goes_on = false;
};

/// Times count from the start of the simulation. Ranks do not wait for each other between
/// iterations: a rank's next one starts when its last one ends.
struct SimulatedRun {
  std::vector<std::vector<results::IterationFigures>> iterations;  // [rank][measured iteration]
  std::vector<results::TraceSpan> spans;  // if recorded; in the order of their ends
  std::vector<std::uint64_t> bytes_sent;  // [rank], payload, over all measured iterations
  std::vector<std::uint64_t> link_bytes;  // [link of the topology], likewise
  /// [processor, over all hosts] How long it worked on messages between polling ranks, likewise.
  std::vector<double> processor_seconds;
  /// [bucket] From the start of the first to the end of the last step of the bucket's fragments, in
  /// seconds: mean over ranks and measured iterations.
  std::vector<double> bucket_seconds;
  std::uint64_t messages = 0;  // warm-up included, like `events`
  std::uint64_t events = 0;    // that were handled, of all jobs
  /// Fidelity::Packet: that were sent between hosts, of all jobs and iterations, and lost.
  std::uint64_t packets = 0;
  std::uint64_t lost_packets = 0;
  std::int32_t simulated_ranks = 0;  // fewer than there are when folded

  /// When the last rank ends its last iteration, in seconds.
  double end_seconds() const;
};

/// `host_of_rank` has a host of the topology for each rank of the schedule. The same arguments give
/// the same result. A schedule that verify() has passed runs to its end; one that cannot is a
/// failed check which names the steps that wait. Throws ConfigError when simulated time exceeds 53
/// days, or packets 100 million.
SimulatedRun simulate(const schedule::Schedule& schedule, const cost::CostModel& cost,
                      const topology::Topology& topology, std::span<const HostId> host_of_rank,
                      const Options& options);

/// One of several jobs. All of it must outlive the simulation.
struct JobOnNetwork {
  const schedule::Schedule& schedule;
  const cost::CostModel& cost;
  std::span<const HostId> host_of_rank;
  const Options& options;
};
inline constexpr std::size_t kMostJobs = 16;

/// The same for up to kMostJobs jobs that share the links of one topology under Fidelity::Flow
/// or all under Packet, each on hosts of its own, unfolded. In the order of `jobs`, which changes
/// nothing. Others' traffic and outages of one link may be given to one job only, and hold for all.
std::vector<SimulatedRun> simulate_together(std::span<const JobOnNetwork> jobs,
                                            const topology::Topology& topology);

}  // namespace lockstep::sim
