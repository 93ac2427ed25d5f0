// SPDX-License-Identifier: Apache-2.0
// Runs one rank of a schedule for real: Progress says what may start, threads and sockets make it
// so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "exec/launch/session.h"
#include "models/results/recorder.h"
#include "models/results/trace.h"
#include "models/schedule/schedule.h"

namespace lockstep::exec {

/// What the schedule's Compute steps and buffers stand for.
class Worker {
 public:
  virtual ~Worker() = default;
  /// Carries out row `work` of the work table. Called on the thread of the step's lane: Compute and
  /// Input steps may run at the same time. What it throws ends the run on all ranks.
  virtual void compute(std::int32_t work, std::int32_t iteration) = 0;
  /// Carries out an Encode or Decode step, on the thread of its lane; code by code one at a time.
  virtual void code(const schedule::Step& step, std::int32_t iteration);
  /// Carries out a computation on a buffer that commutes, on the communication thread: one at a
  /// time, for whichever rank is next; in iteration `iteration` of its fragment.
  virtual void serve(const schedule::Step& step, std::int32_t iteration);
  /// The memory of a buffer, at least as large as the schedule declares, aligned to its elements;
  /// the same for the whole run.
  virtual std::span<std::byte> buffer(std::uint32_t buffer) = 0;
};

struct ExecutorOptions {
  /// The communication thread may keep a core busy while the compute lane has nothing to do. It
  /// never does under a quota of processor time.
  bool may_poll = false;
  std::int32_t first_iteration = 0;  // of the schedule: see Fragment::when
  /// Spans are kept of the iterations from trace_first up to, not including, trace_end,
  /// which are counted from this executor's first, as iterations are everywhere here.
  std::int32_t trace_first = 0;
  std::int32_t trace_end = 0;
};

/// Three lanes: Compute is the thread that calls run(), Communication is the session's thread,
/// Input is a third thread, there only if the schedule uses it. Session, schedule and worker must
/// outlive the executor. After an exception it is of no further use.
class Executor {
 public:
  /// Called on the compute thread between two iterations, while none of the rank's steps runs but
  /// those of fragments of their own pace.
  using AfterIteration =
      std::function<void(std::int32_t iteration, const results::IterationFigures& figures)>;

  /// The data connections must be there: session.connect(peers_of(schedule, rank)).
  Executor(Session& session, const schedule::Schedule& schedule, Worker& worker,
           const ExecutorOptions& options);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Runs `iterations` more. Throws PeerError, whose phase is "iteration 17, bucket 3", when a peer
  /// is lost; what the worker throws, after the others have been told. Without `after` one
  /// iteration follows another wherever its last step ends, without waking the compute thread.
  /// Fragments of their own pace go on while `after` is called, and go through as many iterations:
  /// the last call of `after` comes when those are over.
  void run(std::int32_t iterations, const AfterIteration& after = nullptr);

  /// Of every iteration so far, on rank 0's clock.
  const std::vector<results::IterationFigures>& figures() const;
  /// Of every iteration so far and every bucket, iteration by iteration: from the start of the
  /// first to the end of the last step of its communication.
  std::size_t buckets() const;
  const std::vector<Time>& bucket_times() const;
  const std::vector<results::TraceSpan>& trace() const;
  /// Payload sent to each rank so far, by rank.
  const std::vector<std::uint64_t>& bytes_sent() const;

 private:
  class Run;
  std::unique_ptr<Run> run_;
};

}  // namespace lockstep::exec
