// SPDX-License-Identifier: Apache-2.0
// One rank of an all-reduce job as a process of its own, for the tests that kill one, and for a
// look at how fast messages are: rank_program MODE ITERATIONS ELEMENTS SEGMENT TIMEOUT
// [--launch RANKS | --rank R --ranks N --rendezvous HOST:PORT [--secret-fd F] [--rendezvous-fd F]].
// Modes: sum; pure and poll (only the all-reduce, without checks, and with polling); and what the
// last rank does in iteration 3: kill, stop, throw, bad-input, slow.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "exec/launch/local_launch.h"
#include "exec/launch/session.h"
#include "exec/runner/executor.h"
#include "models/base/errors.h"
#include "tests/exec/all_reduce_worker.h"

namespace lockstep::exec {
namespace {

using std::chrono::steady_clock;

struct Plan {
  std::string mode;
  std::int32_t iterations = 0;
  std::uint64_t elements = 0;
  std::uint64_t segment = 0;
  std::int32_t launch = 0;
  RankOptions options;
};

Plan parse(int count, char** arguments) {
  Plan plan;
  plan.mode = arguments[1];
  plan.iterations = std::atoi(arguments[2]);
  plan.elements = std::strtoull(arguments[3], nullptr, 10);
  plan.segment = std::strtoull(arguments[4], nullptr, 10);
  plan.options.timeout_seconds = std::atof(arguments[5]);
  plan.options.rendezvous_timeout_seconds = 20;
  for (int i = 6; i + 1 < count; i += 2) {
    const std::string name = arguments[i];
    const std::string value = arguments[i + 1];
    if (name == "--launch") plan.launch = std::stoi(value);
    if (name == "--rank") plan.options.rank = std::stoi(value);
    if (name == "--ranks") plan.options.ranks = std::stoi(value);
    if (name == "--secret-fd") plan.options.secret = read_secret(std::stoi(value));
    if (name == "--rendezvous-fd") plan.options.listening_socket = std::stoi(value);
    if (name == "--rendezvous") {
      plan.options.host = value.substr(0, value.rfind(':'));
      plan.options.port = static_cast<std::uint16_t>(std::stoi(value.substr(value.rfind(':') + 1)));
    }
  }
  return plan;
}

/// What the last rank does instead of computing.
void misbehave(const Plan& plan) {
  if (plan.mode == "kill") ::raise(SIGKILL);
  if (plan.mode == "stop") ::raise(SIGSTOP);
  if (plan.mode == "throw") throw std::runtime_error("the last rank has had enough");
  if (plan.mode == "bad-input") throw ConfigError("images.gz", "is truncated");
  if (plan.mode != "slow") return;
  const auto end =
      steady_clock::now() + std::chrono::duration<double>(2 * plan.options.timeout_seconds);
  while (steady_clock::now() < end) {
  }
}

void print_times(const Executor& executor, const Plan& plan) {
  std::vector<double> times;
  for (const results::IterationFigures& figures : executor.figures())
    times.push_back(figures.duration().seconds() * 1e6);
  times.erase(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 10));
  std::sort(times.begin(), times.end());
  std::printf("%llu bytes: median %.1f us, 10 %% %.1f us, 90 %% %.1f us\n",
              static_cast<unsigned long long>(4 * plan.elements), times[times.size() / 2],
              times[times.size() / 10], times[times.size() * 9 / 10]);
}

int run_rank(const Plan& plan) {
  Session session(plan.options, "");
  const bool pure = plan.mode == "pure" || plan.mode == "poll";
  const auto algorithm = collectives::Algorithm::Ring;
  const schedule::Schedule schedule =
      pure ? collectives::all_reduce_schedule(algorithm, session.ranks(), plan.elements,
                                              plan.segment)
           : training_like_schedule(algorithm, session.ranks(), plan.elements, plan.segment);
  PlainWorker worker(schedule, session.rank());
  bool right = true;
  worker.on_compute = [&](std::int32_t work, std::int32_t iteration) {
    if (work == 0) worker.fill();
    if (work == 0 && iteration == 3 && session.rank() + 1 == session.ranks()) misbehave(plan);
    if (work == 0) return;
    for (std::uint64_t i = 0; i < plan.elements; ++i) {
      float sum = 0;
      for (Rank r = 0; r < session.ranks(); ++r)
        sum += contribution(r, i);
      right = right && worker.data()[i] == sum;
    }
  };
  session.connect(peers_of(schedule, session.rank()));
  session.barrier();
  Executor executor(session, schedule, worker, {.may_poll = plan.mode == "poll"});
  executor.run(plan.iterations);
  if (session.rank() == 0 && pure) print_times(executor, plan);
  session.leave();
  return right ? 0 : 1;
}

int run(int count, char** arguments) {
  const Plan plan = parse(count, arguments);
  if (plan.launch > 0)
    return launch_local_ranks({.ranks = plan.launch,
                               .arguments = std::vector<std::string>(arguments + 1, arguments + 6),
                               .timeout_seconds = plan.options.timeout_seconds});
  try {
    return run_rank(plan);
  } catch (const ConfigError& error) {
    std::fprintf(stderr, "rank %d: %s\n", plan.options.rank, error.what());
    return 2;
  } catch (const PeerError& error) {
    std::fprintf(stderr, "rank %d: %s\n", plan.options.rank, error.what());
    return 3;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rank %d: %s\n", plan.options.rank, error.what());
    return 1;
  }
}

}  // namespace
}  // namespace lockstep::exec

int main(int count, char** arguments) {
  return lockstep::exec::run(count, arguments);
}
