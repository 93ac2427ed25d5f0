// SPDX-License-Identifier: Apache-2.0
#include "exec/runner/executor.h"

#include "exec/runner/run.h"
#include "models/base/errors.h"

namespace lockstep::exec {

void Worker::code(const schedule::Step& step, std::int32_t) {
  LOCKSTEP_CHECK(false, "code " + std::to_string(step.target) + " for a worker that has no codecs");
}

void Worker::serve(const schedule::Step& step, std::int32_t) {
  LOCKSTEP_CHECK(false, "work " + std::to_string(step.target) + " for a worker that serves nobody");
}

Executor::Executor(Session& session, const schedule::Schedule& schedule, Worker& worker,
                   const ExecutorOptions& options)
    : run_(std::make_unique<Run>(session, schedule, worker, options)) {}

Executor::~Executor() = default;

void Executor::run(std::int32_t iterations, const AfterIteration& after) {
  run_->run(iterations, after);
}

const std::vector<results::IterationFigures>& Executor::figures() const {
  return run_->figures;
}
std::size_t Executor::buckets() const {
  return run_->buckets;
}
const std::vector<Time>& Executor::bucket_times() const {
  return run_->bucket_times;
}
const std::vector<results::TraceSpan>& Executor::trace() const {
  return run_->trace;
}
const std::vector<std::uint64_t>& Executor::bytes_sent() const {
  return run_->bytes_sent;
}

}  // namespace lockstep::exec
