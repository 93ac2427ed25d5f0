// SPDX-License-Identifier: Apache-2.0
// The executor's inside: one rank's progress, shared by its lanes under one mutex.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <string>
#include <vector>

#include "exec/runner/executor.h"
#include "exec/transport/mesh.h"
#include "models/schedule/progress.h"

namespace lockstep::exec {

/// A lane whose thread has nothing to do says so. Whoever then completes a step that makes one of
/// its steps ready starts that step for it and wakes it: so nobody is woken for nothing, and no
/// step that is ready waits for a thread that sleeps.
class Executor::Run {
 public:
  Run(Session& session, const schedule::Schedule& schedule, Worker& worker,
      const ExecutorOptions& options);

  void run(std::int32_t iterations, const AfterIteration& after);

  std::vector<results::IterationFigures> figures;
  std::size_t buckets = 0;
  std::vector<Time> bucket_times;
  std::vector<results::TraceSpan> trace;
  std::vector<std::uint64_t> bytes_sent;

 private:
  using Lock = std::unique_lock<std::mutex>;

  struct LaneState {
    bool idle = false;
    schedule::StartedStep handed;        // started for it while it was idle
    std::atomic<bool> signalled{false};  // look again; for spinning without the mutex
    std::condition_variable wake;
  };
  /// A communication step in progress.
  struct Outstanding {
    schedule::StartedStep started;
    std::int64_t start_ns = 0;
    bool in_use = false;
  };
  struct Finished {
    std::uint32_t slot;
    std::int64_t end_ns;
    std::int64_t sender_started_ns;  // of a Recv, else kNotAReceive
  };
  struct Extent {
    std::int64_t first_ns = INT64_MAX;
    std::int64_t last_ns = INT64_MIN;
  };
  static constexpr std::int64_t kNotAReceive = INT64_MIN;

  LaneState& state(schedule::Lane lane) { return lanes_[static_cast<std::size_t>(lane)]; }

  // Any thread, with the mutex held.
  void begin_iteration();
  void end_iteration();
  void go_on();
  void complete(const schedule::StartedStep& started);
  void offer();
  void wake(LaneState& lane);
  /// A message moves from `moving_ns` on: once it is sent.
  void record(schedule::Lane lane, const schedule::StartedStep& started, std::int64_t start_ns,
              std::int64_t moving_ns, std::int64_t end_ns);
  std::string position() const;

  // The compute thread and the input thread.
  void run_lane(schedule::Lane lane, const AfterIteration& after);
  schedule::StartedStep await_step(schedule::Lane lane, Lock& lock);
  void spin(const LaneState& lane) const;
  void carry_out(const schedule::Step& step, std::int32_t iteration);
  void input_thread();

  // The communication thread.
  void drive();
  bool retire_finished();
  void begin(const schedule::StartedStep& started, Lock& lock);
  void transfer(const schedule::Step& step, Tag tag, std::uint32_t slot, std::int64_t now_ns);
  void finished(std::uint32_t slot, std::int64_t sender_started_ns);
  void fail();

  void start_threads_of_others();
  [[noreturn]] void rethrow();
  std::span<std::byte> bytes_of(const schedule::Slice& slice) const;

  Session& session_;
  const schedule::Schedule& schedule_;
  Worker& worker_;
  ExecutorOptions options_;
  Clock clock_;
  std::vector<std::span<std::byte>> buffers_;
  bool uses_input_ = false;
  bool computes_ = false;

  std::mutex mutex_;
  schedule::Progress progress_;
  LaneState lanes_[schedule::kLanes];
  bool fresh_ = true;      // progress_ is at its start
  bool ended_ = false;     // the iteration, and the next has not begun
  bool boundary_ = false;  // then: the compute thread's turn
  bool call_after_ = false;
  bool communication_woken_ = false;  // since a lane's thread last cleared it
  bool over_ = false;                 // the run has ended, well or badly
  bool failed_ = false;               // a peer is lost
  std::exception_ptr error_;          // what a worker threw on the input or communication lane
  std::int32_t iteration_ = 0;
  std::int32_t iterations_left_ = 0;
  std::int64_t iteration_start_ns_ = 0;
  results::IterationRecorder recorder_;
  std::vector<Extent> extents_;  // by bucket, of this iteration
  std::vector<Outstanding> outstanding_;
  std::vector<std::uint32_t> free_slots_;

  // The communication thread's own.
  bool driving_ = false;
  std::vector<Finished> finished_;
};

}  // namespace lockstep::exec
