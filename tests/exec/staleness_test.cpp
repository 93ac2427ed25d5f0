// SPDX-License-Identifier: Apache-2.0
// The asynchronous parameter server on real images, sockets and threads.
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "exec/runner/executor.h"
#include "exec/training/replica.h"
#include "models/base/random.h"
#include "models/training/serving.h"
#include "tests/exec/noise_training.h"
#include "tests/exec/ranks_in_threads.h"

using namespace lockstep;

namespace {

using exec::noise;
using exec::normalised;
using Floats = std::vector<float>;
constexpr std::int32_t kUnbounded = training::kUnboundedStaleness;

training::Job job_of(std::int32_t ranks, std::optional<std::int32_t> staleness) {
  training::Job job;
  job.ranks = ranks;
  job.batch = 31;  // no multiple of any number of ranks here
  job.iterations = 8;
  job.bucket_bytes = 64;
  job.algorithm = collectives::Algorithm::ParameterServer;
  job.staleness = staleness;
  job.update.weight_decay = 1e-3;
  return job;
}

/// What all ranks have learnt: [rank].
std::vector<Floats> train(const training::Job& job, const network::Network& network) {
  const training::Iteration iteration = training::make_iteration(job, network);
  const exec::Dataset data = noise(network);
  std::vector<Floats> learnt(static_cast<std::size_t>(job.ranks));
  const auto body = [&](exec::Session& session) {
    exec::Replica replica(job, network, iteration, data, session.rank());
    session.connect(exec::peers_of(iteration.schedule, session.rank()));
    exec::Executor executor(session, iteration.schedule, replica, {});
    executor.run(job.iterations / 2);
    executor.run(job.iterations - job.iterations / 2);
    std::span<float> model = replica.parameters();
    if (iteration.service) {
      session.connect(exec::peers_of(iteration.service->gather, session.rank()));
      exec::Executor gather(session, iteration.service->gather, replica, {});
      gather.run(1);
      // With staleness 0 nobody is behind what is served.
      if (*job.staleness == 0 && !std::ranges::equal(model, replica.averages()))
        throw std::runtime_error("the ranks have not what is served");
      model = replica.averages();
    }
    learnt[static_cast<std::size_t>(session.rank())].assign(model.begin(), model.end());
    session.leave();
  };
  REQUIRE(exec::run_ranks(job.ranks, body) == exec::Outcomes(learnt.size()));
  return learnt;
}

/// |a − b| ÷ |b|.
double difference(const Floats& a, const Floats& b) {
  double squares = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    squares += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(squares / size);
}

}  // namespace

TEST_CASE("staleness 0 is synchronous SGD, but for rounding", "[staleness][net]") {
  struct Rule {
    network::Optimizer optimizer;
    double momentum;
  };
  const auto [optimizer, momentum] =
      GENERATE(Rule{network::Optimizer::Sgd, 0}, Rule{network::Optimizer::Sgd, 0.9},
               Rule{network::Optimizer::Nesterov, 0.9});
  const std::int32_t ranks = GENERATE(1, 2, 3, 4);
  const std::int32_t accumulate = GENERATE(1, 2);
  const network::Network network = normalised();
  constexpr int kTimes = 10;
  for (std::uint64_t seed = 1; seed <= kTimes; ++seed) {
    CAPTURE(static_cast<int>(optimizer), momentum, ranks, accumulate, seed);
    const auto with = [&](std::optional<std::int32_t> staleness) {
      training::Job job = job_of(ranks, staleness);
      job.update.optimizer = optimizer;
      job.momentum = momentum;
      job.accumulate = accumulate;
      job.seed = seed;
      return job;
    };
    const std::vector<Floats> synchronous = train(with({}), network);
    for (const Floats& learnt : train(with(0), network))
      CHECK(difference(learnt, synchronous[0]) < 1e-5);
  }
}

TEST_CASE("staleness: all ranks end with the same model, which has learnt", "[staleness][net]") {
  const network::Network network = normalised();
  const std::int32_t ranks = GENERATE(2, 3);
  const std::int32_t staleness = GENERATE(2, kUnbounded);
  CAPTURE(ranks, staleness);
  const std::vector<Floats> learnt = train(job_of(ranks, staleness), network);
  for (const Floats& each : learnt)
    CHECK(each == learnt[0]);
  const std::vector<Floats> synchronous = train(job_of(ranks, {}), network);
  CHECK(difference(learnt[0], synchronous[0]) < 0.5);
}

namespace {

/// Counts instead of learning: an element of what is served holds, by rank, how many of its
/// gradients have been applied, five bits each. Computations take a while that is drawn, so that
/// ranks drift apart.
class Counter final : public exec::Worker {
 public:
  Counter(const training::Iteration& iteration, Rank rank, std::uint64_t seed)
      : iteration_(iteration), rank_(rank), random_(seed, static_cast<std::uint64_t>(rank)) {
    for (const schedule::Buffer& buffer : iteration.schedule.buffers)
      buffers_.emplace_back(buffer.count);
    slow_ = random_.below(2) == 0;
  }

  void compute(std::int32_t work, std::int32_t iteration) override {
    const network::Work& row = iteration_.works[static_cast<std::size_t>(work)];
    if (row.kind == network::WorkKind::Forward && row.stage == 0) {
      seen_.push_back(buffers_[training::kParameters]);
      if (slow_) std::this_thread::sleep_for(std::chrono::microseconds(random_.below(600)));
    }
    if (row.kind != network::WorkKind::Loss) return;
    if (std::ssize(seen_) != iteration + 1) throw std::runtime_error("an iteration too many");
    std::ranges::fill(buffers_[training::kGradients], static_cast<float>(1 << 5 * rank_));
  }
  void serve(const schedule::Step& step, std::int32_t) override {
    const float* const from = buffers_[step.from.buffer].data() + step.from.first;
    float* const into = buffers_[step.into.buffer].data() + step.into.first;
    const bool applies =
        iteration_.works[static_cast<std::size_t>(step.target)].kind == network::WorkKind::Apply;
    for (std::uint64_t i = 0; i < step.into.count; ++i)
      into[i] = from[i] + (applies ? into[i] : 0);
  }
  std::span<std::byte> buffer(std::uint32_t number) override {
    return std::as_writable_bytes(std::span(buffers_[number]));
  }

  /// By iteration: the parameters at its beginning.
  const std::vector<Floats>& seen() const { return seen_; }

 private:
  const training::Iteration& iteration_;
  Rank rank_;
  Random random_;
  bool slow_ = false;
  std::vector<Floats> buffers_;
  std::vector<Floats> seen_;
};

std::int32_t count_of(float value, Rank rank) {
  return static_cast<std::int32_t>(value) >> 5 * rank & 31;
}

}  // namespace

TEST_CASE("staleness: the bound is never broken, and every gradient is applied once",
          "[staleness][net]") {
  const network::Network network = normalised();
  const std::int32_t ranks = GENERATE(2, 3, 4);
  const std::int32_t staleness = GENERATE(0, 1, 3, kUnbounded);
  constexpr std::int32_t kIterations = 24;
  const training::Iteration iteration = training::make_iteration(job_of(ranks, staleness), network);
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(ranks, staleness, seed);
    std::mutex mutex;
    const auto body = [&](exec::Session& session) {
      Counter counter(iteration, session.rank(), seed);
      session.connect(exec::peers_of(iteration.schedule, session.rank()));
      exec::Executor executor(session, iteration.schedule, counter, {});
      std::int32_t calls = 0;
      executor.run(kIterations / 2);
      executor.run(kIterations - kIterations / 2, [&](std::int32_t, const auto&) { ++calls; });
      std::unique_lock lock(mutex);
      CHECK(calls == kIterations - kIterations / 2);
      REQUIRE(counter.seen().size() == kIterations);
      std::int32_t broken = 0;
      for (std::int32_t i = 0; i < kIterations; ++i)
        for (const float value : counter.seen()[static_cast<std::size_t>(i)])
          for (Rank other = 0; other < ranks; ++other) {
            const std::int32_t distance = std::abs(count_of(value, other) - i);
            broken += distance > (other == session.rank() ? 0 : staleness);
          }
      CHECK(broken == 0);
      const std::span<std::byte> served = counter.buffer(training::kServed);
      for (const training::Bucket& bucket : iteration.buckets) {
        const schedule::Slice shard =
            training::shard_of(bucket, training::kServed, session.rank(), ranks);
        for (std::uint64_t e = shard.first; e < shard.end(); ++e)
          for (Rank other = 0; other < ranks; ++other)
            broken +=
                count_of(reinterpret_cast<const float*>(served.data())[e], other) != kIterations;
      }
      CHECK(broken == 0);
      lock.unlock();
      session.leave();
    };
    REQUIRE(exec::run_ranks(ranks, body) == exec::Outcomes(static_cast<std::size_t>(ranks)));
  }
}
