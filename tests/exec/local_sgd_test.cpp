// SPDX-License-Identifier: Apache-2.0
// Local SGD: what becomes of the ranks' parameters when they are averaged only now and then.
#include <catch2/catch.hpp>

#include <cmath>
#include <memory>
#include <mutex>

#include "exec/runner/executor.h"
#include "exec/training/replica.h"
#include "models/base/random.h"
#include "tests/exec/noise_training.h"
#include "tests/exec/ranks_in_threads.h"

using namespace lockstep;

namespace {

using exec::noise;
using exec::normalised;
using Floats = std::vector<float>;

struct Trained {
  std::vector<Floats> parameters;  // of each rank
  std::vector<Floats> averages;
  std::vector<Floats> states;
};

/// `iterations` of the job, from the beginning, over loopback.
Trained train(const training::Job& job, const network::Network& network, std::int32_t iterations) {
  const training::Iteration iteration = training::make_iteration(job, network);
  const exec::Dataset data = noise(network);
  const auto ranks = static_cast<std::size_t>(job.ranks);
  Trained trained{std::vector<Floats>(ranks), std::vector<Floats>(ranks),
                  std::vector<Floats>(ranks)};
  const auto body = [&](exec::Session& session) {
    const auto rank = static_cast<std::size_t>(session.rank());
    exec::Replica replica(job, network, iteration, data, session.rank());
    session.connect(exec::peers_of(iteration.schedule, session.rank()));
    exec::Executor executor(session, iteration.schedule, replica, {});
    executor.run(iterations);
    trained.parameters[rank].assign(replica.parameters().begin(), replica.parameters().end());
    trained.states[rank].assign(replica.optimizer_state().begin(), replica.optimizer_state().end());
    if (iteration.averaging) {
      exec::Executor average(session, iteration.averaging->alone, replica, {});
      average.run(1);
      trained.averages[rank].assign(replica.averages().begin(), replica.averages().end());
    }
    session.leave();
  };
  REQUIRE(exec::run_ranks(job.ranks, body) == exec::Outcomes(ranks));
  return trained;
}

training::Job job_of(std::int32_t ranks, std::int32_t local_steps) {
  training::Job job;
  job.ranks = ranks;
  job.batch = 31;  // no multiple of any number of ranks here
  job.iterations = 12;
  job.bucket_bytes = 64;
  job.local_steps = local_steps;
  job.update.weight_decay = 1e-3;
  return job;
}

/// The largest over all tensors of |a − b| ÷ |b|.
double worst_difference(const network::Network& network, const Floats& a, const Floats& b) {
  double worst = 0;
  for (const network::Layer& layer : network.layers)
    for (const network::Parameter& parameter : layer.parameters) {
      double difference = 0, size = 0;
      for (std::uint64_t i = parameter.first; i < parameter.first + parameter.count; ++i) {
        difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
        size += std::pow(static_cast<double>(b[i]), 2);
      }
      worst = std::max(worst, std::sqrt(difference / size));
    }
  return worst;
}

}  // namespace

TEST_CASE("local SGD: averaged in every iteration it is synchronous SGD", "[local][net]") {
  // Momentum stays with its rank, yet all is linear in the gradients: the mean of the ranks'
  // velocities, weighted as parameters are, is the velocity of the mean gradient.
  const network::Network network = normalised();
  const auto optimizer = GENERATE(network::Optimizer::Sgd, network::Optimizer::Nesterov);
  const std::int32_t ranks = GENERATE(1, 2, 3, 4);
  const std::int32_t accumulate = GENERATE(1, 2);
  CAPTURE(static_cast<int>(optimizer), ranks, accumulate);
  const auto with = [&](std::int32_t local_steps) {
    training::Job job = job_of(ranks, local_steps);
    job.update.optimizer = optimizer;
    job.accumulate = accumulate;
    return job;
  };
  // It goes the general way: no gradient is summed, parameters are.
  for (const schedule::Fragment& fragment :
       training::make_iteration(with(1), network).schedule.fragments)
    REQUIRE_FALSE(fragment.name.starts_with("all-reduce"));
  constexpr std::int32_t kIterations = 8;
  const Trained synchronous = train(with(0), network, kIterations);
  const Trained local = train(with(1), network, kIterations);
  for (const Floats& parameters : local.parameters) {
    CHECK(parameters == local.parameters[0]);
    CHECK(worst_difference(network, parameters, synchronous.parameters[0]) < 1e-5);
  }
  if (ranks > 1) CHECK(local.states[0] != local.states[1]);
}

TEST_CASE("local SGD: ranks differ within a turn and are their weighted mean after it",
          "[local][net]") {
  const network::Network network = normalised();
  const std::int32_t ranks = GENERATE(2, 3);
  CAPTURE(ranks);
  const training::Job job = job_of(ranks, 3);
  const Trained within = train(job, network, 5);
  CHECK(within.parameters[0] != within.parameters[1]);
  for (std::size_t i = 0; i < within.averages[0].size(); ++i) {
    double mean = 0;
    for (Rank rank = 0; rank < ranks; ++rank) {
      const std::int32_t share = training::first_of_share(job.batch, ranks, rank + 1) -
                                 training::first_of_share(job.batch, ranks, rank);
      mean += static_cast<double>(share) / job.batch *
              static_cast<double>(within.parameters[static_cast<std::size_t>(rank)][i]);
    }
    REQUIRE(static_cast<double>(within.averages[0][i]) == Approx(mean).epsilon(1e-5).margin(1e-7));
  }
  const Trained after = train(job, network, 6);
  CHECK(after.parameters[0] == after.parameters[1]);
  CHECK(after.states[0] != after.states[1]);
}

TEST_CASE("local SGD: until it begins, training is synchronous to the bit", "[local][net]") {
  const network::Network network = normalised();
  training::Job post_local = job_of(3, 4);
  post_local.local_from = 5;
  CHECK(train(post_local, network, 5).parameters == train(job_of(3, 0), network, 5).parameters);
  const Trained first = train(post_local, network, 6);
  CHECK(first.parameters[0] != first.parameters[1]);
  const Trained averaged = train(post_local, network, 9);
  CHECK(averaged.parameters[0] == averaged.parameters[1]);
}
