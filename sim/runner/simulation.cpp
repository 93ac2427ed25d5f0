// SPDX-License-Identifier: Apache-2.0
#include "sim/runner/simulation.h"

#include <algorithm>
#include <array>
#include <deque>
#include <utility>

#include "models/base/errors.h"
#include "models/base/random.h"
#include "models/schedule/progress.h"
#include "sim/engine/event_queue.h"
#include "sim/network/fluid.h"
#include "sim/runner/channels.h"
#include "sim/runner/cluster.h"
#include "sim/runner/record.h"

namespace lockstep::sim {
namespace {

using schedule::Lane;
using schedule::StartedStep;
using schedule::Verb;

/// What an event's payload is.
enum Kind : std::uint8_t {
  kSendPaid,       // message: its sender's overhead is over
  kSent,           // message: its Send is complete
  kFlowed,         // activity of the flow of a message
  kArrived,        // message
  kReceived,       // message: its Recv is complete
  kComputed,       // rank × kLanes + lane: the step there is over
  kComputeFlowed,  // activity of the step of rank × kLanes + lane
  kKinds
};

class Simulation {
 public:
  Simulation(const schedule::Schedule& schedule, const cost::CostModel& cost,
             const topology::Topology& topology, std::span<const HostId> host_of_rank,
             const Options& options);
  SimulatedRun run();

 private:
  /// A step that holds its lane until it is over: Compute and Combine.
  struct Running {
    StartedStep step;
    Time since;
  };
  struct RankState {
    RankState(const schedule::Schedule& schedule, Rank rank) : progress(schedule, rank) {}
    schedule::Progress progress;
    std::array<Running, schedule::kLanes> running;
    Time lane_free_at;    // the communication lane has been given away until then
    double slowness = 1;  // factor on the Compute steps of this iteration
  };

  void handle(const Event& event);
  void pump(Rank rank);
  void draw_slowness(Rank rank);
  bool start(RankState& state, const StartedStep& step);
  bool start_running(RankState& state, const StartedStep& step, const cost::Demand& demand);
  bool start_send(RankState& state, const StartedStep& step);
  bool start_receive(RankState& state, const StartedStep& step);
  void over(std::uint32_t payload);
  bool send_paid(std::uint32_t number);
  void begin_flow(std::uint32_t number);
  void announce_arrival(const Message& message, std::uint32_t number);
  void enter_flows();
  void flowed(std::uint32_t number);
  bool arrived(std::uint32_t number);
  bool take_in(std::uint32_t number);
  void complete_send(std::uint32_t number);
  void complete_receive(std::uint32_t number);
  void complete(Rank rank, const StartedStep& step, Time since);
  Time occupy(RankState& state, Time duration);
  std::uint32_t connected(std::uint32_t channel);
  void set_bytes(Message& message, const StartedStep& step, const schedule::Slice& slice) const;

  bool is_flow() const { return options_.fidelity == Fidelity::Flow; }
  Time now() const { return queue_.now(); }
  RankState& rank(Rank number) { return ranks_[static_cast<std::size_t>(number)]; }
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
  EventQueue queue_{kKinds};
  Fluid fluid_{queue_};
  Cluster cluster_;
  Channels channels_;
  Record record_;
  std::deque<RankState> ranks_;
  std::vector<std::uint32_t> entering_;  // messages whose flow begins at this time
  std::int32_t unfinished_ranks_ = 0;
  std::uint64_t messages_ = 0;
};

Simulation::Simulation(const schedule::Schedule& schedule, const cost::CostModel& cost,
                       const topology::Topology& topology, std::span<const HostId> host_of_rank,
                       const Options& options)
    : schedule_(schedule),
      cost_(cost),
      topology_(topology),
      options_(options),
      cluster_(cost, topology, host_of_rank, fluid_),
      channels_(schedule.ranks),
      record_(schedule, options),
      unfinished_ranks_(schedule.ranks) {
  LOCKSTEP_CHECK(host_of_rank.size() == static_cast<std::size_t>(schedule.ranks),
                 std::to_string(host_of_rank.size()) + " ranks are placed, the schedule has " +
                     std::to_string(schedule.ranks));
  for (Rank number = 0; number < schedule.ranks; ++number)
    ranks_.emplace_back(schedule, number);
}

/// Whatever happens at one time happens first; then, before time goes on, the flows that begin at
/// that time enter the network and all rates are settled.
SimulatedRun Simulation::run() {
  for (Rank number = 0; number < schedule_.ranks; ++number) {
    draw_slowness(number);
    pump(number);
  }
  for (;;) {
    if ((!entering_.empty() || fluid_.unsettled()) && queue_.next_time() > now()) {
      enter_flows();
      fluid_.settle();
    } else if (!queue_.empty()) {
      handle(queue_.pop());
    } else {
      break;
    }
  }
  LOCKSTEP_CHECK(unfinished_ranks_ == 0,
                 "nothing more happens, and " + std::to_string(unfinished_ranks_) +
                     " ranks have not finished" + channels_.waiting(schedule_));
  channels_.check_complete();
  SimulatedRun result = record_.take();
  result.messages = messages_;
  result.events = queue_.popped();
  result.link_bytes.resize(topology_.links.size());
  for (std::uint32_t channel = 0; channel < channels_.size(); ++channel)
    for (const LinkId link : cluster_.route(channel))
      result.link_bytes[static_cast<std::size_t>(link)] +=
          channels_.channel(channel).measured_bytes;
  return result;
}

void Simulation::handle(const Event& event) {
  const std::uint32_t payload = event.payload;
  switch (static_cast<Kind>(event.kind)) {
    case kSendPaid: {
      const Rank sender = channel_of(payload).sender;
      send_paid(payload);
      return pump(sender);
    }
    case kSent: {
      const Rank sender = channel_of(payload).sender;
      complete_send(payload);
      return pump(sender);
    }
    case kFlowed:
      if (const auto message = fluid_.ended(event)) flowed(*message);
      return;
    case kArrived: {
      const Rank receiver = channel_of(payload).receiver;
      if (arrived(payload)) pump(receiver);
      return;
    }
    case kReceived: {
      const Rank receiver = channel_of(payload).receiver;
      complete_receive(payload);
      return pump(receiver);
    }
    case kComputed:
      return over(payload);
    case kComputeFlowed:
      if (const auto place = fluid_.ended(event)) over(*place);
      return;
    case kKinds:
      break;
  }
}

/// Starts what the rank may start now, until there is nothing. Steps that take no time complete on
/// the spot, and others may become ready by that.
void Simulation::pump(Rank number) {
  RankState& state = rank(number);
  for (bool again = true; again;) {
    again = false;
    for (const Lane lane : {Lane::Compute, Lane::Input})
      while (!state.running[static_cast<std::size_t>(lane)].step) {
        const StartedStep step = state.progress.next(lane);
        if (!step) break;
        again |= start(state, step);
      }
    while (state.lane_free_at <= now()) {
      const StartedStep step = state.progress.next(Lane::Communication);
      if (!step) break;
      again |= start(state, step);
    }
    if (!state.progress.done()) continue;
    if (!record_.end_iteration(number, now())) {
      --unfinished_ranks_;
      return;
    }
    state.progress.restart();
    draw_slowness(number);
    again = true;
  }
}

void Simulation::draw_slowness(Rank number) {
  if (options_.compute_noise <= 0) return;
  Random random(options_.seed, static_cast<std::uint64_t>(number),
                static_cast<std::uint64_t>(record_.iteration(number)));
  rank(number).slowness = std::max(0.0, 1 + options_.compute_noise * random.normal());
}

/// Returns whether the step is complete already.
bool Simulation::start(RankState& state, const StartedStep& step) {
  switch (step.step->verb) {
    case Verb::Send:
      return start_send(state, step);
    case Verb::Recv:
      return start_receive(state, step);
    case Verb::Compute: {
      cost::Demand demand = cost_.compute(state.progress.rank(), step.step->target);
      demand.seconds *= state.slowness;
      return start_running(state, step, demand);
    }
    case Verb::Combine:
      return start_running(state, step,
                           cost_.combine(state.progress.rank(), schedule_.bytes(step.step->from)));
    case Verb::Nothing:
      break;
  }
  complete(state.progress.rank(), step, now());
  return true;
}

/// On the communication lane a step takes its time, as do the overheads of messages: it is one
/// thread. On the other lanes, in a flow network, it shares cores and memory.
bool Simulation::start_running(RankState& state, const StartedStep& step,
                               const cost::Demand& demand) {
  const Rank number = state.progress.rank();
  if (demand.seconds <= 0) {
    complete(number, step, now());
    return true;
  }
  const auto lane = static_cast<std::size_t>(step.step->lane);
  state.running[lane] = {step, now()};
  const auto place =
      static_cast<std::uint32_t>(number) * schedule::kLanes + static_cast<std::uint32_t>(lane);
  if (step.step->lane == Lane::Communication) {
    state.lane_free_at = now() + delay(demand.seconds);
    queue_.push(state.lane_free_at, kComputed, place);
  } else if (is_flow()) {
    fluid_.start(cluster_.compute_profile(number, demand), demand.seconds, kComputeFlowed, place);
  } else {
    queue_.push(now() + delay(demand.seconds), kComputed, place);
  }
  return false;
}

/// The step that held a lane is over.
void Simulation::over(std::uint32_t place) {
  const auto number = static_cast<Rank>(place / schedule::kLanes);
  Running& running = rank(number).running[place % schedule::kLanes];
  const Running ended = std::exchange(running, Running{});
  complete(number, ended.step, ended.since);
  pump(number);
}

bool Simulation::start_send(RankState& state, const StartedStep& step) {
  const Rank sender = state.progress.rank();
  const Rank receiver = step.step->target;
  const std::uint32_t number = channels_.add_send(
      connected(channels_.from_sender(sender, receiver, step.step->stream)), step, now());
  Message& message = channels_.message(number);
  Channel& channel = channels_.channel(message.channel);
  set_bytes(message, step, step.step->from);
  channel.bytes_sent += message.bytes;
  if (record_.is_measured(sender)) channel.measured_bytes += message.bytes;
  record_.sent(sender, message.bytes);
  ++messages_;
  if (message.receive) record_.waited(receiver, message.posted, now());
  const Time overhead = terms(message).send_overhead;
  if (overhead == Time{}) return send_paid(number);
  queue_.push(occupy(state, overhead), kSendPaid, number);
  return false;
}

/// The sender has done its fixed part; returns whether the Send is complete.
bool Simulation::send_paid(std::uint32_t number) {
  Message& message = channels_.message(number);
  message.overhead_paid = true;
  const Terms& price = terms(message);
  if (!price.is_eager(message.bytes)) {
    if (message.receive) begin_flow(number);
    return false;
  }
  const Time copy = delay(static_cast<double>(message.bytes) * price.send_seconds_per_byte);
  begin_flow(number);
  if (copy == Time{}) {
    complete_send(number);
    return true;
  }
  queue_.push(now() + copy, kSent, number);
  return false;
}

bool Simulation::start_receive(RankState& state, const StartedStep& step) {
  const Rank sender = step.step->target;
  const std::uint32_t number = channels_.add_receive(
      connected(channels_.from_receiver(sender, state.progress.rank(), step.step->stream)), step,
      now());
  Message& message = channels_.message(number);
  set_bytes(message, step, step.step->into);
  message.combine = step.step->combine;
  if (!message.send) return false;
  if (message.arrived) return take_in(number);
  if (message.flowing) {
    if (!is_flow()) announce_arrival(message, number);
  } else if (message.overhead_paid) {
    begin_flow(number);
  }
  return false;
}

/// The bytes leave now. What an eager message costs on an ideal network is known when its Recv is.
void Simulation::begin_flow(std::uint32_t number) {
  Message& message = channels_.message(number);
  message.flowing = true;
  message.began = now();
  if (is_flow()) {
    if (message.bytes > 0)
      entering_.push_back(number);
    else
      queue_.push(now() + terms(message).latency, kArrived, number);
    return;
  }
  if (message.receive) announce_arrival(message, number);
}

/// Ideal: a message whose Recv is known arrives on its own account.
void Simulation::announce_arrival(const Message& message, std::uint32_t number) {
  const Terms& price = terms(message);
  const Time arrival = message.began + price.latency + price.transfer(message.bytes);
  queue_.push(std::max(now(), arrival), kArrived, number);
}

/// By now it is known of all messages that begin to flow at this time whether their Recv is posted,
/// in whatever order things happened.
void Simulation::enter_flows() {
  for (const std::uint32_t number : entering_) {
    Message& message = channels_.message(number);
    message.posted_first = static_cast<bool>(message.receive);
    const Terms& price = terms(message);
    const auto& profile = message.posted_first ? price.profile : price.unposted_profile;
    const auto bytes = static_cast<double>(message.bytes);
    double burst = 0;
    if (price.bursts)
      burst = cluster_.bursts().enter(cluster_.route(message.channel), bytes,
                                      fluid_.fastest(profile[1]), now());
    if (burst >= 1) {
      message.later_bytes = bytes - burst;
      fluid_.start(profile[1], burst, kFlowed, number);
    } else {
      fluid_.start(profile[0], bytes, kFlowed, number);
    }
  }
  entering_.clear();
}

void Simulation::flowed(std::uint32_t number) {
  Message& message = channels_.message(number);
  const Terms& price = terms(message);
  if (message.later_bytes > 0) {
    fluid_.start((message.posted_first ? price.profile : price.unposted_profile)[0],
                 std::exchange(message.later_bytes, 0.0), kFlowed, number);
    return;
  }
  if (price.bursts) cluster_.bursts().leave(cluster_.route(message.channel), now());
  queue_.push(now() + price.latency, kArrived, number);
  if (price.is_eager(message.bytes)) return;
  const Rank sender = channel_of(number).sender;
  complete_send(number);
  pump(sender);
}

/// On an ideal network a large message's Send takes as long as the message, as in the closed forms.
/// Returns whether the Recv is complete.
bool Simulation::arrived(std::uint32_t number) {
  channels_.message(number).arrived = true;
  if (!is_flow() && !terms(channels_.message(number)).is_eager(channels_.message(number).bytes)) {
    const Rank sender = channel_of(number).sender;
    complete_send(number);
    pump(sender);
  }
  return channels_.message(number).receive && take_in(number);
}

/// The message is there and its Recv is posted. If it began to flow before that, the receiver has
/// worked on it since then only, and may not be done.
bool Simulation::take_in(std::uint32_t number) {
  const Message& message = channels_.message(number);
  const Terms& price = terms(message);
  Time duration = price.receive_overhead;
  if (is_flow() && !message.posted_first) {
    const Time work = delay(static_cast<double>(message.bytes) * price.receive_seconds_per_byte);
    duration += std::max(Time{}, message.posted + work - now());
  }
  const Time end = occupy(rank(channel_of(number).receiver), duration);
  if (end > now()) {
    queue_.push(end, kReceived, number);
    return false;
  }
  complete_receive(number);
  return true;
}

void Simulation::complete_send(std::uint32_t number) {
  Message& message = channels_.message(number);
  message.send_complete = true;
  complete(channel_of(number).sender, message.send, message.sent);
  if (message.receive_complete) channels_.release(number);
}

void Simulation::complete_receive(std::uint32_t number) {
  Message& message = channels_.message(number);
  message.receive_complete = true;
  channel_of(number).bytes_received += message.bytes;
  complete(channel_of(number).receiver, message.receive, message.posted);
  if (message.send_complete) channels_.release(number);
}

void Simulation::complete(Rank number, const StartedStep& step, Time since) {
  record_.completed(number, step, since, now());
  rank(number).progress.complete(step);
}

/// Gives the rank's communication lane away for `duration`, after what it has been given away for
/// already; returns the end. On an ideal network fixed overheads do not compete.
Time Simulation::occupy(RankState& state, Time duration) {
  if (!is_flow()) return now() + duration;
  state.lane_free_at = std::max(now(), state.lane_free_at) + duration;
  return state.lane_free_at;
}

/// A new channel is a new connection: their numbers are the same.
std::uint32_t Simulation::connected(std::uint32_t channel) {
  if (channel == cluster_.connections())
    cluster_.connect(channels_.channel(channel).sender, channels_.channel(channel).receiver);
  return channel;
}

/// The first half of a message says how large it is, the second one must agree.
void Simulation::set_bytes(Message& message, const StartedStep& step,
                           const schedule::Slice& slice) const {
  const std::uint64_t bytes = schedule_.bytes(slice);
  LOCKSTEP_CHECK(!message.is_matched() || message.bytes == bytes,
                 schedule::describe(schedule_, *step.step) + " meets a message of " +
                     std::to_string(message.bytes) + " bytes");
  message.bytes = bytes;
}

}  // namespace

SimulatedRun simulate(const schedule::Schedule& schedule, const cost::CostModel& cost,
                      const topology::Topology& topology, std::span<const HostId> host_of_rank,
                      const Options& options) {
  return Simulation(schedule, cost, topology, host_of_rank, options).run();
}

}  // namespace lockstep::sim
