// SPDX-License-Identifier: Apache-2.0
#include "sim/runner/simulation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/base/errors.h"
#include "sim/runner/run.h"

namespace lockstep::sim {

using schedule::Lane;
using schedule::StartedStep;
using schedule::Verb;

namespace {

bool may_fold(const Options& options) {
  return options.fold && options.fidelity != Fidelity::Packet && !options.record_spans &&
         options.compute_noise <= 0 && options.disturbances.is_empty() && options.starts.empty();
}

}  // namespace

Run::Run(const JobOnNetwork& job, const topology::Topology& topology, SharedNetwork& network,
         std::uint8_t number)
    : schedule_(job.schedule),
      cost_(job.cost),
      topology_(topology),
      options_(job.options),
      folding_(may_fold(options_) ? Folding::find(schedule_, cost_, topology, job.host_of_rank)
                                  : Folding(schedule_.ranks)),
      network_(network),
      queue_(network.queue),
      fluid_(network.fluid),
      first_kind_(static_cast<std::uint8_t>(number * kKinds)),
      quotas_(queue_, fluid_, static_cast<std::uint8_t>(first_kind_ + kTicks),
              static_cast<std::uint8_t>(first_kind_ + kOpens), options_.seed),
      cluster_(cost_, topology, job.host_of_rank, options_.seed, folding_, network, quotas_),
      channels_(folding_),
      record_(schedule_, options_, folding_),
      footprints_(schedule_, job.host_of_rank),
      processor_free_at_(cluster_.processors()),
      processor_work_(cluster_.processors()),
      link_bytes_(topology.links.size()),
      unfinished_ranks_(folding_.simulated_ranks()) {
  LOCKSTEP_CHECK(job.host_of_rank.size() == static_cast<std::size_t>(schedule_.ranks),
                 std::to_string(job.host_of_rank.size()) + " ranks are placed, the schedule has " +
                     std::to_string(schedule_.ranks));
  LOCKSTEP_CHECK(options_.iterations >= 1 && options_.warm_up_iterations >= 0,
                 std::to_string(options_.iterations) + " iterations after " +
                     std::to_string(options_.warm_up_iterations));
  LOCKSTEP_CHECK(options_.starts.empty() || options_.starts.size() == job.host_of_rank.size(),
                 std::to_string(options_.starts.size()) + " ranks are given a start");
  for (std::int32_t place = 0; place < folding_.simulated_ranks(); ++place) {
    const Rank rank = folding_.rank_at(place);
    ranks_.emplace_back(schedule_, rank, options_.first_iteration);
    const std::int32_t iterations = options_.warm_up_iterations + options_.iterations;
    ranks_.back().progress.run_until(options_.goes_on ? INT32_MAX
                                                      : options_.first_iteration + iterations);
    if (is_flow()) ranks_.back().quota = cluster_.quota(rank);
  }
}

void Run::begin() {
  begin_disturbances();
  for (const RankState& state : ranks_) {
    const Rank number = state.progress.rank();
    draw_slowness(number);
    if (options_.starts.empty())
      give_turn(number);
    else
      push(options_.starts[static_cast<std::size_t>(number)], kBegins,
           static_cast<std::uint32_t>(number));
  }
}

SimulatedRun Run::take() {
  LOCKSTEP_CHECK(is_over(), "nothing more happens, and " + std::to_string(unfinished_ranks_) +
                                " ranks have not finished" + channels_.waiting(schedule_));
  if (!options_.goes_on) channels_.check_complete();
  SimulatedRun result = record_.take();
  result.messages = messages_ * static_cast<std::uint64_t>(folding_.copies());
  for (const Time work : processor_work_)
    result.processor_seconds.push_back(work.seconds());
  result.events = queue_.popped();
  if (network_.tcp) {
    result.packets = network_.tcp->packets();
    result.lost_packets = network_.tcp->lost();
  }
  result.link_bytes = take_link_bytes();
  return result;
}

/// Of the channel's bytes so far.
void Run::add_link_bytes(std::uint32_t channel) {
  const auto bytes =
      static_cast<double>(std::exchange(channels_.channel(channel).measured_bytes, 0));
  for (const auto& [link, share] : cluster_.route(channel))
    link_bytes_[static_cast<std::size_t>(folding_.like_link(link))] +=
        folding_.meeting_on_link(link) * static_cast<std::uint64_t>(std::llround(share * bytes));
}

std::vector<std::uint64_t> Run::take_link_bytes() {
  for (std::uint32_t channel = 0; channel < channels_.size(); ++channel)
    add_link_bytes(channel);
  std::vector<std::uint64_t> bytes;
  for (LinkId link = 0; link < std::ssize(link_bytes_); ++link)
    bytes.push_back(link_bytes_[static_cast<std::size_t>(folding_.like_link(link))]);
  return bytes;
}

void Run::handle(std::uint8_t kind, const Event& event) {
  const std::uint32_t payload = event.payload;
  switch (static_cast<Kind>(kind)) {
    case kBegins:
      return give_turn(static_cast<Rank>(payload));
    case kSendPaid:
      send_paid(payload);
      return give_turn(channel_of(payload).sender);
    case kSent: {
      const Rank sender = channel_of(payload).sender;
      complete_send(payload);
      return give_turn(sender);
    }
    case kFlowed:
      if (const auto message = fluid_.ended(event)) flowed(*message);
      return;
    case kArrived:
      return arrived(payload);
    case kReceived: {
      const Rank receiver = channel_of(payload).receiver;
      complete_receive(payload);
      return give_turn(receiver);
    }
    case kNoticed:
      return noticed(payload);
    case kComputed:
      return over(payload);
    case kComputeFlowed:
      if (const auto place = fluid_.ended(event)) over(*place);
      return;
    case kTicks:
      return quotas_.tick(payload);
    case kOpens:
      return quotas_.open(payload);
    case kTurned:
      return turn_traffic(payload);
    case kFails:
      return change_outage(payload, true);
    case kRecovers:
      return change_outage(payload, false);
    case kKinds:
      break;
  }
}

void Run::give_turn(Rank number) {
  RankState& state = rank(number);
  if (state.has_turn) return;
  state.has_turn = true;
  turns_.push_back(number);
}

bool Run::take_turns() {
  if (turns_.empty()) return false;
  taken_turns_.swap(turns_);
  for (const Rank number : taken_turns_) {
    RankState& state = rank(number);
    state.has_turn = false;
    if (state.outages > 0) continue;
    while (state.first_arrived != Channel::kNone) {
      const std::uint32_t message = state.first_arrived;
      state.first_arrived = channels_.message(message).next_arrived;
      take_in(message);
    }
    pump(number);
  }
  taken_turns_.clear();
  return true;
}

/// Starts what the rank may start now, until there is nothing. Steps that take no time complete on
/// the spot, and others may become ready by that.
void Run::pump(Rank number) {
  RankState& state = rank(number);
  for (bool again = true; again;) {
    again = false;
    for (const Lane lane : {Lane::Compute, Lane::Input})
      while (!state.running[static_cast<std::size_t>(lane)].step) {
        const StartedStep step = state.progress.next(lane);
        if (!step) break;
        again |= start(state, step);
      }
    // A step that ends at this very time still holds the lane until its event has come.
    const Running& communicates = state.running[static_cast<std::size_t>(Lane::Communication)];
    while (!communicates.step && state.lane_free_at <= now()) {
      const StartedStep step = state.progress.next(Lane::Communication);
      if (!step) break;
      again |= start(state, step);
    }
    again |= end_iteration(state);
  }
}

/// If it is over. Returns whether another begins; behind the last one the rank goes on with what
/// has its own pace.
bool Run::end_iteration(RankState& state) {
  const Rank number = state.progress.rank();
  if (!state.has_ended && state.progress.done()) {
    const bool has_next = record_.end_iteration(number, now());
    const std::int32_t measured = options_.warm_up_iterations + options_.iterations;
    if (options_.goes_on && record_.iteration(number) == measured) --unfinished_ranks_;
    if (has_next) {
      state.progress.restart();
      draw_slowness(number);
      return true;
    }
    state.has_ended = true;
  }
  if (options_.goes_on || !state.has_ended || state.has_finished || !state.progress.finished())
    return false;
  state.has_finished = true;
  --unfinished_ranks_;
  return false;
}

void Run::draw_slowness(Rank number) {
  if (options_.compute_noise <= 0 && options_.disturbances.stragglers.empty()) return;
  Random random(options_.seed, static_cast<std::uint64_t>(number),
                static_cast<std::uint64_t>(record_.iteration(number)));
  double& slowness = rank(number).slowness;
  slowness = 1;
  if (options_.compute_noise > 0)
    slowness = std::max(0.0, 1 + options_.compute_noise * random.normal());
  slowness *= straggling(number, random);
}

/// Returns whether the step is complete already.
bool Run::start(RankState& state, const StartedStep& step) {
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
      return start_running(state, step, combining(state.progress.rank(), *step.step));
    case Verb::Encode:
    case Verb::Decode:
      return start_running(state, step, coding(state.progress.rank(), *step.step));
    case Verb::Nothing:
      break;
  }
  complete(state.progress.rank(), step, now(), now());
  return true;
}

cost::Demand Run::combining(Rank number, const schedule::Step& step) {
  const std::uint64_t bytes = schedule_.bytes(step.from);
  if (!is_flow() || !cost_.polls(number)) return cost_.combine(number, bytes);
  const double since = footprints_.touch(number, step.from) + footprints_.touch(number, step.into);
  return cost_.polled_combine(number, bytes, since / 2);
}

cost::Demand Run::coding(Rank number, const schedule::Step& step) const {
  const schedule::Code& code = schedule_.codes[static_cast<std::size_t>(step.target)];
  return cost_.coding(number, step, means_elements(code, step.from));
}

/// On the communication lane a Combine takes its time, as do the overheads of messages: it is one
/// thread. Other steps, in a flow network, share cores and memory.
bool Run::start_running(RankState& state, const StartedStep& step, const cost::Demand& demand) {
  const Rank number = state.progress.rank();
  if (demand.seconds <= 0) {
    complete(number, step, now(), now());
    return true;
  }
  const auto lane = static_cast<std::size_t>(step.step->lane);
  state.running[lane] = {step, has_quota(state) ? quotas_.runs_at(state.quota) : now()};
  const auto place =
      static_cast<std::uint32_t>(number) * schedule::kLanes + static_cast<std::uint32_t>(lane);
  const bool shares = step.step->lane != Lane::Communication || step.step->verb != Verb::Combine;
  if (!shares) {
    const Time duration = delay(demand.seconds);
    state.lane_free_at = cost_.polls(number) ? occupy_processor(number, duration)
                         : has_quota(state)  ? occupy(state, duration)
                                             : now() + duration;
    push(state.lane_free_at, kComputed, place);
  } else if (is_flow()) {
    if (has_quota(state)) quotas_.wake(state.quota);
    start_activity(cluster_.compute_profile(number, step.step->lane, demand), demand.seconds,
                   kComputeFlowed, place);
  } else {
    push(now() + delay(demand.seconds), kComputed, place);
  }
  return false;
}

/// The step that held a lane is over.
void Run::over(std::uint32_t place) {
  const auto number = static_cast<Rank>(place / schedule::kLanes);
  Running& running = rank(number).running[place % schedule::kLanes];
  const Running ended = std::exchange(running, Running{});
  complete(number, ended.step, ended.since, ended.since);
  give_turn(number);
}

void Run::complete(Rank number, const StartedStep& step, Time since, Time sent) {
  record_.completed(number, step, since, sent, now());
  rank(number).progress.complete(step);
}

/// Gives the rank's communication lane away for `duration`, after what it has been given away for
/// already; returns the end. On an ideal network fixed overheads do not compete.
Time Run::occupy(RankState& state, Time duration) {
  if (!is_flow()) return now() + duration;
  Time from = std::max(now(), state.lane_free_at);
  if (has_quota(state)) {
    from = std::max(from, quotas_.runs_at(state.quota));
    quotas_.charge(state.quota, duration);
  }
  state.lane_free_at = from + duration;
  return state.lane_free_at;
}

}  // namespace lockstep::sim
