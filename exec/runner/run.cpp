// SPDX-License-Identifier: Apache-2.0
#include "exec/runner/run.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "exec/launch/control_groups.h"
#include "exec/transport/combine.h"
#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

using schedule::Lane;
using schedule::StartedStep;
using schedule::Step;
using schedule::Verb;

/// About what it costs to be woken: spinning for longer can't pay.
constexpr auto kSpin = std::chrono::microseconds(30);

bool uses_lane(const schedule::Schedule& schedule, Rank rank, Lane lane) {
  std::vector<Step> slots;
  for (const schedule::Fragment& fragment : schedule.fragments) {
    const auto shape = fragment.steps->shape(rank);
    for (std::uint32_t round = 0; round < shape.rounds; ++round) {
      slots.assign(shape.steps_per_round, Step{});
      fragment.steps->emit(rank, round, slots);
      for (const Step& step : slots)
        if (step.verb != Verb::Nothing && step.lane == lane) return true;
    }
  }
  return false;
}

std::string text_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "unknown error";
  }
}

}  // namespace

Executor::Run::Run(Session& session, const schedule::Schedule& schedule, Worker& worker,
                   const ExecutorOptions& options)
    : bytes_sent(static_cast<std::size_t>(session.ranks())),
      session_(session),
      schedule_(schedule),
      worker_(worker),
      options_(options),
      clock_(session.clock()),
      uses_input_(uses_lane(schedule, session.rank(), Lane::Input)),
      computes_(uses_lane(schedule, session.rank(), Lane::Compute)),
      progress_(schedule, session.rank(), options.first_iteration) {
  LOCKSTEP_CHECK(schedule.ranks == session.ranks(),
                 "a schedule of " + std::to_string(schedule.ranks) + " ranks in a job of " +
                     std::to_string(session.ranks()));
  options_.may_poll = options_.may_poll && !has_processor_quota();
  for (const schedule::Fragment& fragment : schedule.fragments)
    buckets = std::max(buckets, static_cast<std::size_t>(fragment.bucket + 1));
  extents_.resize(buckets);
  for (std::uint32_t b = 0; b < schedule.buffers.size(); ++b) {
    buffers_.push_back(worker.buffer(b));
    const std::uint64_t bytes = schedule.bytes({b, 0, schedule.buffers[b].count});
    LOCKSTEP_CHECK(buffers_.back().size() >= bytes,
                   "buffer " + schedule.buffers[b].name + " has only " +
                       std::to_string(buffers_.back().size()) + " bytes");
  }
}

void Executor::Run::run(std::int32_t iterations, const AfterIteration& after) {
  if (iterations <= 0) return;
  LOCKSTEP_CHECK(!failed_ && !error_, "an executor that has failed is run again");
  session_.on_failure([this] { fail(); });
  if (options_.may_poll && !computes_) session_.set_polling(true);
  {
    const Lock lock(mutex_);
    over_ = failed_;
    call_after_ = after != nullptr;
    iterations_left_ = iterations;
    progress_.run_until(options_.first_iteration + iteration_ + iterations);
    state(Lane::Communication).idle = true;
    if (!over_) begin_iteration();
  }
  std::thread input;
  if (uses_input_) input = std::thread([this] { input_thread(); });
  std::exception_ptr error;
  try {
    run_lane(Lane::Compute, after);
  } catch (...) {
    error = std::current_exception();
  }
  {
    const Lock lock(mutex_);
    over_ = true;
    wake(state(Lane::Input));
  }
  if (input.joinable()) input.join();
  session_.set_polling(false);
  session_.on_failure(nullptr);
  // The second call also finds done whatever the communication thread posted to itself before the
  // first.
  session_.call([this] {
    for (std::size_t r = 0; r < bytes_sent.size(); ++r)
      bytes_sent[r] = session_.mesh().payload_bytes_sent(static_cast<Rank>(r));
  });
  if (!error) error = error_;
  if (failed_) rethrow();
  if (error) {
    error_ = error;
    session_.give_up(text_of(error));
    std::rethrow_exception(error);
  }
}

void Executor::Run::rethrow() {
  const PeerError failure = *session_.failure();
  throw PeerError(failure.rank, failure.peer, position(), failure.cause);
}

/// Where this rank is: the first bucket that it is communicating about.
std::string Executor::Run::position() const {
  std::string text = "iteration " + std::to_string(iteration_);
  std::uint32_t first = UINT32_MAX;
  for (const Outstanding& outstanding : outstanding_)
    if (outstanding.in_use && schedule_.fragments[outstanding.started.fragment].bucket >= 0)
      first = std::min(first, outstanding.started.fragment);
  if (first == UINT32_MAX) return text;
  return text + ", bucket " + std::to_string(schedule_.fragments[first].bucket);
}

void Executor::Run::begin_iteration() {
  boundary_ = ended_ = false;
  if (!std::exchange(fresh_, false)) progress_.restart();
  iteration_start_ns_ = clock_.now_ns();
  if (!progress_.done()) return offer();
  // An iteration without steps ends where it begins; the compute thread goes on from there, lest
  // iterations nest.
  end_iteration();
  boundary_ = true;
  wake(state(Lane::Compute));
}

void Executor::Run::end_iteration() {
  const std::int64_t now = clock_.now_ns();
  figures.push_back(recorder_.finish(Clock::time_of(iteration_start_ns_), Clock::time_of(now)));
  for (Extent& extent : extents_) {
    const bool moved = extent.first_ns < extent.last_ns;
    bucket_times.push_back(Clock::time_of(moved ? extent.last_ns - extent.first_ns : 0));
    extent = {};
  }
  ++iteration_;
  --iterations_left_;
  ended_ = true;
}

/// Once an iteration has ended: begins the next, or leaves that to the compute thread. Behind the
/// last one what goes at its own pace has to end.
void Executor::Run::go_on() {
  if (iterations_left_ > 0 && !call_after_) return begin_iteration();
  if (iterations_left_ > 0 || progress_.finished()) {
    boundary_ = true;
    wake(state(Lane::Compute));
  }
  offer();
}

void Executor::Run::complete(const StartedStep& started) {
  progress_.complete(started);
  if (!ended_ && progress_.done()) end_iteration();
  if (ended_ && !boundary_)
    go_on();
  else
    offer();
}

void Executor::Run::offer() {
  for (const Lane lane : {Lane::Communication, Lane::Compute, Lane::Input}) {
    LaneState& other = state(lane);
    if (!other.idle || other.handed) continue;
    other.handed = progress_.next(lane);
    if (!other.handed) continue;
    if (lane == Lane::Communication) {
      session_.post([this] { drive(); });
      communication_woken_ = true;
    } else {
      wake(other);
    }
  }
}

void Executor::Run::wake(LaneState& lane) {
  lane.signalled.store(true, std::memory_order_release);
  lane.wake.notify_one();
}

void Executor::Run::record(Lane lane, const StartedStep& started, std::int64_t start_ns,
                           std::int64_t moving_ns, std::int64_t end_ns) {
  const Time start = Clock::time_of(start_ns);
  const Time end = Clock::time_of(end_ns);
  if (lane == Lane::Compute) recorder_.computed(start, end);
  if (lane == Lane::Communication) {
    recorder_.communicated(start, Clock::time_of(std::max(start_ns, moving_ns)), end);
    const std::int32_t bucket = schedule_.fragments[started.fragment].bucket;
    if (bucket >= 0) {
      Extent& extent = extents_[static_cast<std::size_t>(bucket)];
      extent.first_ns = std::min(extent.first_ns, start_ns);
      extent.last_ns = std::max(extent.last_ns, end_ns);
    }
  }
  const std::int32_t iteration = started.iteration - options_.first_iteration;
  if (iteration < options_.trace_first || iteration >= options_.trace_end) return;
  const Step& step = *started.step;
  const bool message = step.verb == Verb::Send || step.verb == Verb::Recv;
  const bool moves = message || step.verb == Verb::Combine || is_coding(step);
  trace.push_back(
      {.rank = session_.rank(),
       .lane = lane,
       .fragment = started.fragment,
       .step = started.index,
       .iteration = iteration,
       .start = start,
       .end = end,
       .bytes = moves ? schedule_.bytes(step.verb == Verb::Recv ? step.into : step.from) : 0,
       .peer = message ? step.target : -1});
}

void Executor::Run::run_lane(Lane lane, const AfterIteration& after) {
  Lock lock(mutex_);
  while (!over_) {
    const StartedStep started = await_step(lane, lock);
    if (started) {
      const Step step = *started.step;
      const std::int32_t iteration = iteration_;
      lock.unlock();
      const std::int64_t start = clock_.now_ns();
      carry_out(step, iteration);
      const std::int64_t end = clock_.now_ns();
      lock.lock();
      record(lane, started, start, start, end);
      communication_woken_ = false;
      complete(started);
      if (communication_woken_) {
        // It may share this processor, and others wait for what it is about to send.
        lock.unlock();
        ::sched_yield();
        lock.lock();
      }
    } else if (boundary_ && lane == Lane::Compute && !over_) {
      if (call_after_) {
        const results::IterationFigures last = figures.back();
        const std::int32_t iteration = iteration_ - 1;
        lock.unlock();
        after(iteration, last);
        lock.lock();
      }
      if (iterations_left_ == 0)
        over_ = true;
      else if (!over_)
        begin_iteration();
    }
  }
}

/// The lane's next step; empty when there is something else to look at.
StartedStep Executor::Run::await_step(Lane lane, Lock& lock) {
  const bool computes = lane == Lane::Compute;
  const auto something_else = [&] { return over_ || (computes && boundary_); };
  if (something_else()) return {};
  if (const StartedStep started = progress_.next(lane)) return started;
  LaneState& mine = state(lane);
  mine.idle = true;
  mine.signalled.store(false, std::memory_order_relaxed);
  if (computes && options_.may_poll) {
    session_.set_polling(true);
    lock.unlock();
    spin(mine);
    lock.lock();
  }
  mine.wake.wait(lock, [&] { return mine.handed || something_else(); });
  mine.idle = false;
  if (computes && options_.may_poll) session_.set_polling(false);
  return std::exchange(mine.handed, {});
}

void Executor::Run::spin(const LaneState& lane) const {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  while (!lane.signalled.load(std::memory_order_acquire) && std::chrono::steady_clock::now() < end)
    ::sched_yield();  // the communication thread may share this processor
}

void Executor::Run::carry_out(const Step& step, std::int32_t iteration) {
  const bool is_coding = schedule::is_coding(step);
  LOCKSTEP_CHECK(step.verb == Verb::Compute || step.verb == Verb::Combine || is_coding,
                 describe(schedule_, step) + " is not for this lane");
  if (step.verb == Verb::Compute) return worker_.compute(step.target, iteration);
  if (is_coding) return worker_.code(step, iteration);
  combine(step.combine, schedule_.buffers[step.into.buffer].type, bytes_of(step.from),
          bytes_of(step.into));
}

void Executor::Run::input_thread() {
  try {
    run_lane(Lane::Input, nullptr);
  } catch (...) {
    const Lock lock(mutex_);
    error_ = std::current_exception();
    over_ = true;
    wake(state(Lane::Compute));
  }
}

void Executor::Run::fail() {
  const Lock lock(mutex_);
  failed_ = true;
  over_ = true;
  for (LaneState& lane : lanes_)
    wake(lane);
}

std::span<std::byte> Executor::Run::bytes_of(const schedule::Slice& slice) const {
  const std::uint64_t size = schedule::bytes_of(schedule_.buffers[slice.buffer].type);
  return buffers_[slice.buffer].subspan(slice.first * size, slice.count * size);
}

}  // namespace lockstep::exec
