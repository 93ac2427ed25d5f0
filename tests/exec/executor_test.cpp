// SPDX-License-Identifier: Apache-2.0
#include "exec/runner/executor.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <catch2/catch.hpp>

#include "models/base/errors.h"
#include "models/base/random.h"
#include "tests/exec/all_reduce_worker.h"
#include "tests/exec/ranks_in_threads.h"
#include "tests/support/in_memory.h"

namespace lockstep::exec {
namespace {

using collectives::Algorithm;

/// Buffers that the test can look into afterwards.
class BufferWorker final : public Worker {
 public:
  explicit BufferWorker(std::vector<std::vector<float>>& buffers) : buffers_(buffers) {}
  void compute(std::int32_t, std::int32_t) override {}
  std::span<std::byte> buffer(std::uint32_t buffer) override {
    return std::as_writable_bytes(std::span(buffers_[buffer]));
  }

 private:
  std::vector<std::vector<float>>& buffers_;
};

/// buffers[rank][buffer]
using AllBuffers = std::vector<std::vector<std::vector<float>>>;

AllBuffers random_buffers(const schedule::Schedule& schedule, std::uint64_t seed) {
  AllBuffers buffers(static_cast<std::size_t>(schedule.ranks));
  for (std::size_t rank = 0; rank < buffers.size(); ++rank)
    for (std::size_t b = 0; b < schedule.buffers.size(); ++b) {
      Random random(seed, rank, b);
      auto& buffer = buffers[rank].emplace_back(schedule.buffers[b].count);
      for (float& value : buffer)
        value = static_cast<float>(random.normal());
    }
  return buffers;
}

void check_equals_in_memory(const schedule::Schedule& schedule, bool may_poll) {
  const std::uint64_t seed = 4711;
  AllBuffers buffers = random_buffers(schedule, seed);
  support::InMemoryRun memory(schedule, seed);
  for (Rank rank = 0; rank < schedule.ranks; ++rank)
    for (std::uint32_t b = 0; b < schedule.buffers.size(); ++b)
      memory.buffer(rank, b) = buffers[static_cast<std::size_t>(rank)][b];
  constexpr int kIterations = 3;
  for (int i = 0; i < kIterations; ++i)
    memory.run();
  const Outcomes outcomes = run_ranks(schedule.ranks, [&](Session& session) {
    BufferWorker worker(buffers[static_cast<std::size_t>(session.rank())]);
    session.connect(peers_of(schedule, session.rank()));
    Executor executor(session, schedule, worker, {.may_poll = may_poll});
    executor.run(kIterations);
    session.leave();
  });
  CHECK(outcomes == Outcomes(static_cast<std::size_t>(schedule.ranks)));
  for (Rank rank = 0; rank < schedule.ranks; ++rank)
    CHECK(buffers[static_cast<std::size_t>(rank)][0] == memory.buffer(rank, 0));
}

TEST_CASE("executor: over TCP sums equal those in memory bit for bit", "[exec][executor][net]") {
  const std::int32_t ranks = GENERATE(1, 2, 3, 4, 5, 8);
  const Algorithm algorithm = GENERATE(Algorithm::Ring, Algorithm::RecursiveDoubling);
  const auto p = static_cast<std::uint64_t>(ranks);
  for (const std::uint64_t count : {std::uint64_t{0}, std::uint64_t{1}, p - 1, p + 1, 1000 + p}) {
    CAPTURE(ranks, collectives::name_of(algorithm), count);
    check_equals_in_memory(collectives::all_reduce_schedule(algorithm, ranks, count, 0), false);
  }
}

TEST_CASE("executor: the same with large messages in segments, polling or not",
          "[exec][executor][net]") {
  const bool may_poll = GENERATE(false, true);
  const Algorithm algorithm = GENERATE(Algorithm::Ring, Algorithm::RecursiveDoubling);
  CAPTURE(may_poll, collectives::name_of(algorithm));
  // 1,200,007 elements: segments of 256 KiB, and chunks of 1.6 MB that don't fit a socket.
  check_equals_in_memory(collectives::all_reduce_schedule(algorithm, 3, 1'200'007, 65'536),
                         may_poll);
  check_equals_in_memory(collectives::all_reduce_schedule(algorithm, 3, 1'200'007, 0), may_poll);
}

TEST_CASE("executor: figures, trace and bytes of every iteration", "[exec][executor][net]") {
  constexpr std::uint64_t kCount = 1000;
  const auto schedule = training_like_schedule(Algorithm::Ring, 2, kCount, 0);
  std::vector<results::IterationFigures> figures;
  std::vector<results::TraceSpan> trace;
  std::vector<Time> bucket_times;
  std::vector<std::uint64_t> bytes;
  const Outcomes outcomes = run_ranks(2, [&](Session& session) {
    PlainWorker worker(schedule, session.rank());
    session.connect(peers_of(schedule, session.rank()));
    Executor executor(session, schedule, worker, {.trace_first = 1, .trace_end = 2});
    executor.run(2);
    executor.run(3);
    if (session.rank() == 1) {
      figures = executor.figures();
      trace = executor.trace();
      bucket_times = executor.bucket_times();
      bytes = executor.bytes_sent();
    }
    session.leave();
  });
  CHECK(outcomes == Outcomes(2));
  REQUIRE(figures.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(figures[i].compute > Time{0});
    CHECK(figures[i].exposed > Time{0});
    CHECK(figures[i].waiting <= figures[i].exposed);
    CHECK(figures[i].compute + figures[i].exposed <= figures[i].duration());
    if (i > 0) CHECK(figures[i].start >= figures[i - 1].end);
  }
  CHECK(bucket_times.size() == 5);
  // Two works; and in 2 × (2 − 1) rounds a send and a receive each.
  CHECK(trace.size() == 2 + 2 * 2);
  for (const results::TraceSpan& span : trace) {
    CHECK(span.iteration == 1);
    CHECK(span.rank == 1);
    CHECK(span.start >= figures[1].start);
    CHECK(span.end <= figures[1].end);
    const bool computes = span.lane == schedule::Lane::Compute;
    CHECK(span.peer == (computes ? -1 : 0));
    CHECK(span.bytes == (computes ? 0 : kCount / 2 * 4));
  }
  // 5 iterations of 2 rounds of half of 1000 elements.
  CHECK(bytes == std::vector<std::uint64_t>{5 * 2 * 500 * 4, 0});
}

TEST_CASE("executor: between iterations the compute thread has its say", "[exec][executor][net]") {
  const auto schedule = collectives::all_reduce_schedule(Algorithm::Ring, 2, 10, 0);
  std::vector<std::int32_t> seen;
  const Outcomes outcomes = run_ranks(2, [&](Session& session) {
    PlainWorker worker(schedule, session.rank());
    session.connect(peers_of(schedule, session.rank()));
    Executor executor(session, schedule, worker, {});
    const auto caller = std::this_thread::get_id();
    executor.run(4, [&](std::int32_t iteration, const results::IterationFigures&) {
      if (session.rank() == 0 && std::this_thread::get_id() == caller) seen.push_back(iteration);
    });
    session.leave();
  });
  CHECK(outcomes == Outcomes(2));
  CHECK(seen == std::vector<std::int32_t>{0, 1, 2, 3});
}

TEST_CASE("executor: a schedule without steps runs too", "[exec][executor]") {
  const auto schedule = collectives::all_reduce_schedule(Algorithm::Ring, 1, 10, 0);
  RankOptions options;
  Session session(options, "");
  PlainWorker worker(schedule, 0);
  Executor executor(session, schedule, worker, {});
  executor.run(1000);
  CHECK(executor.figures().size() == 1000);
  session.leave();
}

/// Work 0 on the compute lane and work 1 on the input lane each wait for the other to have begun.
class MeetingWorker final : public Worker {
 public:
  void compute(std::int32_t work, std::int32_t iteration) override {
    std::unique_lock lock(mutex_);
    begun_[work] = iteration + 1;
    changed_.notify_all();
    changed_.wait(lock, [&] { return begun_[1 - work] > iteration; });
  }
  std::span<std::byte> buffer(std::uint32_t) override { return {}; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int32_t begun_[2] = {0, 0};
};

TEST_CASE("executor: input runs beside the computing", "[exec][executor]") {
  schedule::Schedule schedule;
  schedule::Step compute, input;
  compute.verb = input.verb = schedule::Verb::Compute;
  compute.lane = schedule::Lane::Compute;
  compute.target = 0;
  input.lane = schedule::Lane::Input;
  input.target = 1;
  schedule.fragments.push_back({"both", -1, same_steps({compute, input}), {}});
  RankOptions options;
  Session session(options, "");
  MeetingWorker worker;
  Executor executor(session, schedule, worker, {});
  executor.run(20);
  CHECK(executor.figures().size() == 20);
  session.leave();
}

TEST_CASE("executor: what a worker throws ends all ranks, with the reason and the place",
          "[exec][executor][net]") {
  const auto schedule = training_like_schedule(Algorithm::Ring, 3, 1000, 0);
  const Outcomes outcomes = run_ranks(3, [&](Session& session) {
    PlainWorker worker(schedule, session.rank());
    worker.on_compute = [&](std::int32_t work, std::int32_t iteration) {
      if (session.rank() == 2 && work == 0 && iteration == 5)
        throw ConfigError("images.gz", "is truncated");
    };
    session.connect(peers_of(schedule, session.rank()));
    Executor executor(session, schedule, worker, {});
    executor.run(10);
    session.leave();
  });
  CHECK(outcomes[2] == "images.gz: is truncated");
  // Rank 1 is held up by rank 2; rank 0 may not have come to the bucket when it hears of it.
  // Nor need they have left the iteration before.
  for (const std::size_t rank : {0u, 1u})
    CHECK_THAT(outcomes[rank],
               Catch::StartsWith("rank 2 (host ") &&
                   (Catch::Contains("failed: images.gz: is truncated; iteration 5") ||
                    Catch::Contains("failed: images.gz: is truncated; iteration 4")));
}

TEST_CASE("executor: a peer that sends what isn't due ends the job, and both sizes are named",
          "[exec][executor][net]") {
  const Outcomes outcomes = run_ranks(2, [&](Session& session) {
    // Each rank believes in another schedule.
    const auto schedule =
        collectives::all_reduce_schedule(Algorithm::Ring, 2, session.rank() == 0 ? 100 : 200, 0);
    PlainWorker worker(schedule, session.rank());
    session.connect(peers_of(schedule, session.rank()));
    Executor executor(session, schedule, worker, {});
    executor.run(10);
    session.leave();
  });
  // A chunk is half: 50 or 100 elements of 4 bytes.
  for (const std::string& outcome : outcomes)
    CHECK_THAT(outcome, Catch::Contains("200 bytes") && Catch::Contains("400 bytes") &&
                            Catch::EndsWith("; iteration 0, bucket 0"));
}

}  // namespace
}  // namespace lockstep::exec
