// SPDX-License-Identifier: Apache-2.0
// The executor's communication lane: starts sends and receives, and retires those that are done.
#include <algorithm>
#include <utility>

#include "exec/runner/run.h"

namespace lockstep::exec {

namespace {

using schedule::Lane;
using schedule::StartedStep;
using schedule::Step;
using schedule::Verb;

constexpr int kStepsPerTurn = 64;

}  // namespace

/// The communication lane's turn: retires what the sockets have finished and starts what is ready,
/// until there is neither. Steps that finish at once, while they are being started, are retired by
/// the loop, not by a call within a call. After some steps the thread's other duties, heartbeats
/// among them, have their turn.
void Executor::Run::drive() {
  if (std::exchange(driving_, true)) return;
  Lock lock(mutex_);
  LaneState& mine = state(Lane::Communication);
  mine.idle = false;
  bool ready = true;
  try {
    for (int started = 0; ready && started < kStepsPerTurn && !over_;) {
      const bool retired = retire_finished();
      StartedStep next = std::exchange(mine.handed, {});
      if (!next) next = progress_.next(Lane::Communication);
      if (next) begin(next, lock);
      started += next ? 1 : 0;
      ready = next || retired;
    }
  } catch (...) {
    if (!lock.owns_lock()) lock.lock();
    error_ = std::current_exception();
    over_ = true;
    wake(state(Lane::Compute));
  }
  driving_ = false;
  if (ready && !over_)
    session_.post([this] { drive(); });
  else
    mine.idle = true;
}

bool Executor::Run::retire_finished() {
  if (finished_.empty()) return false;
  for (const Finished& finished : finished_) {
    Outstanding& outstanding = outstanding_[finished.slot];
    outstanding.in_use = false;
    // Clocks agree to some microseconds only: nothing is sent after it has arrived.
    const std::int64_t moving_ns = std::min(finished.sender_started_ns, finished.end_ns);
    record(Lane::Communication, outstanding.started, outstanding.start_ns, moving_ns,
           finished.end_ns);
    free_slots_.push_back(finished.slot);
    complete(outstanding.started);
  }
  finished_.clear();
  return true;
}

void Executor::Run::begin(const StartedStep& started, Lock& lock) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(outstanding_.size()));
    outstanding_.emplace_back();
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  const std::int64_t now = clock_.now_ns();
  outstanding_[slot] = {started, now, true};
  const Step step = *started.step;
  const Tag tag{started.fragment, started.index, started.iteration - options_.first_iteration};
  lock.unlock();
  transfer(step, tag, slot, now);
  lock.lock();
}

void Executor::Run::transfer(const Step& step, Tag tag, std::uint32_t slot, std::int64_t now_ns) {
  const Channel channel{step.target, step.stream};
  switch (step.verb) {
    case Verb::Send:
      return session_.mesh().send(channel, bytes_of(step.from), tag, now_ns,
                                  [this, slot] { finished(slot, kNotAReceive); });
    case Verb::Recv: {
      const Arrival arrival{bytes_of(step.into), step.combine,
                            schedule_.buffers[step.into.buffer].type, tag.iteration};
      return session_.mesh().receive(
          channel, arrival, [this, slot](std::int64_t started_ns) { finished(slot, started_ns); });
    }
    case Verb::Compute:
      worker_.serve(step, tag.iteration);
      return finished(slot, kNotAReceive);
    case Verb::Combine:
    case Verb::Encode:
    case Verb::Decode:
      carry_out(step, tag.iteration);
      return finished(slot, kNotAReceive);
    case Verb::Nothing:
      return finished(slot, kNotAReceive);
  }
}

void Executor::Run::finished(std::uint32_t slot, std::int64_t sender_started_ns) {
  finished_.push_back({slot, clock_.now_ns(), sender_started_ns});
  if (!driving_) drive();
}

}  // namespace lockstep::exec
