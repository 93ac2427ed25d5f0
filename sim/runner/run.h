// SPDX-License-Identifier: Apache-2.0
// The live state of one job: drives every rank's Progress and gives each step its time.
// simulation.cpp has the events and the lanes, messages.cpp the life of a message,
// disturbances.cpp what comes from outside, simulate.cpp the order of events.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "models/base/random.h"
#include "models/schedule/progress.h"
#include "sim/runner/channels.h"
#include "sim/runner/cluster.h"
#include "sim/runner/folding.h"
#include "sim/runner/footprints.h"
#include "sim/runner/record.h"
#include "sim/runner/shared_network.h"
#include "sim/runner/simulation.h"

namespace lockstep::sim {

/// One job, made and run once, perhaps beside others. The arguments must outlive it.
class Run {
 public:
  /// Which of the network's jobs it is, 0, 1, …: its events are of the kinds from
  /// number × event_kinds() on.
  Run(const JobOnNetwork& job, const topology::Topology& topology, SharedNetwork& network,
      std::uint8_t number);
  static constexpr std::uint8_t event_kinds() { return kKinds; }

  void begin();
  void handle(std::uint8_t kind, const Event& event);
  /// Each rank that something has happened to takes in and starts what it may. Returns whether
  /// there were any.
  bool take_turns();
  void enter_flows();
  /// So many messages more of the channel are there, packet by packet.
  void delivered(std::uint32_t channel, std::uint32_t messages);
  bool is_over() const { return unfinished_ranks_ == 0; }
  /// Whether more happens after that.
  bool is_endless() const { return options_.goes_on || !options_.disturbances.is_empty(); }
  SimulatedRun take();

 private:
  /// What an event's payload is.
  enum Kind : std::uint8_t {
    kBegins,         // rank: its first iteration
    kSendPaid,       // message: its sender's overhead is over
    kSent,           // message: its Send is complete
    kFlowed,         // activity of the flow of a message
    kArrived,        // message
    kReceived,       // message: its Recv is complete
    kNoticed,        // polled message: its receiver could take it
    kComputed,       // rank × kLanes + lane: the step there is over
    kComputeFlowed,  // activity of the step of rank × kLanes + lane
    kTicks,          // quota
    kOpens,          // quota
    kTurned,         // traffic of others: begins or ends
    kFails,          // outage
    kRecovers,       // outage
    kKinds
  };
  /// A step that holds its lane until it is over: Compute and Combine.
  struct Running {
    schedule::StartedStep step;
    Time since;
  };
  struct RankState {
    RankState(const schedule::Schedule& schedule, Rank rank, std::int32_t iteration)
        : progress(schedule, rank, iteration) {}
    schedule::Progress progress;
    std::array<Running, schedule::kLanes> running;
    Time lane_free_at;  // the communication lane has been given away until then
    std::uint32_t quota = Cluster::kNoQuota;       // of its host
    double slowness = 1;                           // factor on the Compute steps of this iteration
    std::uint32_t first_arrived = Channel::kNone;  // messages to be taken in, in program order
    bool has_turn = false;
    bool has_ended = false;     // its iterations
    bool has_finished = false;  // and what it does at its own pace
    std::int32_t outages = 0;   // while there are any it starts nothing
  };

  std::vector<std::uint64_t> take_link_bytes();
  void give_turn(Rank rank);
  void pump(Rank rank);
  bool end_iteration(RankState& state);
  void draw_slowness(Rank rank);
  bool start(RankState& state, const schedule::StartedStep& step);
  cost::Demand combining(Rank number, const schedule::Step& step);
  cost::Demand coding(Rank number, const schedule::Step& step) const;
  bool start_running(RankState& state, const schedule::StartedStep& step,
                     const cost::Demand& demand);
  bool start_send(RankState& state, const schedule::StartedStep& step);
  bool start_receive(RankState& state, const schedule::StartedStep& step);
  void over(std::uint32_t payload);
  bool send_paid(std::uint32_t number);
  void queue_up(std::uint32_t number);
  void let_leave(std::uint32_t channel_number);
  void begin_flow(std::uint32_t number);
  void announce_arrival(const Message& message, std::uint32_t number);
  void send_packets(std::uint32_t number);
  void flowed(std::uint32_t number);
  void arrived(std::uint32_t number);
  bool take_in(std::uint32_t number);
  // Between polling ranks of one host: see polled_messages.cpp.
  void send_polled(std::uint32_t number);
  void noticed(std::uint32_t number);
  void take_polled(std::uint32_t number);
  Time occupy_processor(Rank rank, Time duration);
  Time notice_after(Rank rank, double latency_seconds) const;

  // What disturbs: see disturbances.cpp.
  void begin_disturbances();
  void turn_traffic(std::uint32_t number);
  void change_outage(std::uint32_t number, bool begins);
  void set_left(LinkId link);
  void avoid(LinkId link);
  void add_link_bytes(std::uint32_t channel);
  double straggling(Rank rank, Random& random) const;

  void complete_send(std::uint32_t number);
  void complete_receive(std::uint32_t number);
  void complete(Rank rank, const schedule::StartedStep& step, Time since, Time sent);
  Time occupy(RankState& state, Time duration);
  std::uint32_t connected(std::uint32_t channel);
  void set_bytes(Message& message, const schedule::StartedStep& step,
                 const schedule::Slice& slice) const;

  static bool has_quota(const RankState& state) { return state.quota != Cluster::kNoQuota; }
  bool is_flow() const { return options_.fidelity != Fidelity::Ideal; }
  /// Whether messages of the channel are sent packet by packet.
  bool is_packet(std::uint32_t channel) const {
    return network_.tcp && !cluster_.route(channel).empty();
  }
  Time now() const { return queue_.now(); }
  void push(Time time, Kind kind, std::uint32_t payload) {
    queue_.push(time, static_cast<std::uint8_t>(first_kind_ + kind), payload);
  }
  void start_activity(std::uint32_t profile, double amount, Kind kind, std::uint32_t payload) {
    fluid_.start(profile, amount, static_cast<std::uint8_t>(first_kind_ + kind), payload);
  }
  /// Of the simulated rank that stands for this one.
  RankState& rank(Rank number) { return ranks_[static_cast<std::size_t>(folding_.place(number))]; }
  Channel& channel_of(std::uint32_t message) {
    return channels_.channel(channels_.message(message).channel);
  }
  const Terms& terms(const Message& message) {
    return cluster_.terms(message.channel, message.combine);
  }

  const schedule::Schedule& schedule_;
  const cost::CostModel& cost_;
  const topology::Topology& topology_;
  const Options& options_;
  const Folding folding_;
  SharedNetwork& network_;
  EventQueue& queue_;
  Fluid& fluid_;
  const std::uint8_t first_kind_;
  Quotas quotas_;
  Cluster cluster_;
  Channels channels_;
  Record record_;
  std::deque<RankState> ranks_;            // that are simulated
  Footprints footprints_;                  // of polling ranks
  std::vector<Time> processor_free_at_;    // of each processor, given away until then
  std::vector<Time> processor_work_;       // in measured iterations
  std::vector<std::uint32_t> entering_;    // messages whose flow begins at this time
  std::vector<Rank> turns_;                // ranks for which something happened at this time
  std::vector<Rank> taken_turns_;          // scratch
  std::vector<std::uint64_t> link_bytes_;  // of each link or, if folded, the one that stands for it
  std::vector<std::uint8_t> traffic_on_;   // each of the disturbances' traffic
  std::vector<std::uint8_t> is_out_;       // each of the disturbances' outages
  std::vector<Random> traffic_random_;
  std::int32_t unfinished_ranks_ = 0;
  std::uint64_t messages_ = 0;
};

}  // namespace lockstep::sim
