// SPDX-License-Identifier: Apache-2.0
// The job's optimizer on a network: which tensors decay, which have a rate of their own, and that
// neither threads nor buckets change a bit.
#include "exec/training/optimizer.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "models/base/random.h"
#include "models/training/iteration.h"
#include "models/training/job_json.h"
#include "tests/exec/small_networks.h"

using namespace lockstep;
using namespace lockstep::exec;

namespace {

constexpr std::uint64_t kSeed = 21;

network::Network small_network() {
  return make_network(12, 12, 1, convolution(6, 3, 1, 0) + kNorm + kRelu + dense(200) + kRelu);
}

std::vector<float> normals(std::size_t count, std::uint64_t seed) {
  Random random(kSeed, seed);
  std::vector<float> values(count);
  for (float& value : values)
    value = static_cast<float>(random.normal());
  return values;
}

training::Job job_of(network::Optimizer optimizer) {
  training::Job job;
  job.update = {.optimizer = optimizer, .weight_decay = 0.01, .epsilon = 1e-6, .trust = 0.02};
  job.rate.policy = training::RatePolicy::Cosine;
  return job;
}

/// Parameters after three updates, bucket by bucket.
std::vector<float> updated(const training::Job& job, const network::Network& network,
                           std::uint64_t bucket_bytes, int threads) {
  Team team(threads);
  Optimizer optimizer(job, network, 4);
  std::vector<float> parameters = normals(network.flat_count, 1);
  for (std::int32_t iteration = 0; iteration < 3; ++iteration) {
    const std::vector<float> gradients =
        normals(network.flat_count, 2 + static_cast<std::uint64_t>(iteration));
    for (const training::Bucket& bucket : training::make_buckets(network, bucket_bytes))
      optimizer.update(bucket.first, bucket.count, iteration, parameters, gradients, team);
  }
  return parameters;
}

double norm_of(std::span<const float> values) {
  double sum = 0;
  for (const float value : values)
    sum += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(sum);
}

}  // namespace

TEST_CASE("optimizer: threads and buckets change no bit", "[learning]") {
  INFO("seed " << kSeed);
  const network::Network network = small_network();
  for (const network::Optimizer optimizer : network::kOptimizers) {
    const training::Job job = job_of(optimizer);
    CAPTURE(training::name_of(optimizer));
    const std::vector<float> reference = updated(job, network, std::uint64_t{1} << 40, 1);
    CHECK(reference != normals(network.flat_count, 1));
    for (const int threads : {1, 2, 3, 7})
      for (const std::uint64_t bucket_bytes : {1, 3000, 1 << 30})
        CHECK(updated(job, network, bucket_bytes, threads) == reference);
  }
}

TEST_CASE("optimizer: the first update of every tensor is its rule's", "[learning]") {
  INFO("seed " << kSeed);
  const network::Network network = small_network();
  const std::vector<float> before = normals(network.flat_count, 1);
  const std::vector<float> gradients = normals(network.flat_count, 2);
  for (const network::Optimizer optimizer : network::kOptimizers) {
    const training::Job job = job_of(optimizer);
    const double rate = training::rate_at(job.rate, job.learning_rate, job.batch, 0, 1);
    std::vector<float> after = before;
    Team team(2);
    Optimizer(job, network, 1).update(0, network.flat_count, 0, after, gradients, team);
    for (const network::Layer& layer : network.layers)
      for (const network::Parameter& parameter : layer.parameters) {
        CAPTURE(training::name_of(optimizer), parameter.name);
        const auto part = [&](const std::vector<float>& all) {
          return std::span(all).subspan(parameter.first, parameter.count);
        };
        if (!parameter.learnt) {  // a running mean moves by a tenth, under every rule
          CHECK(part(after)[0] == Approx(0.9f * part(before)[0] + 0.1f * part(gradients)[0]));
          continue;
        }
        const bool is_weight =
            parameter.name.ends_with(".weight") && layer.kind != network::LayerKind::BatchNorm;
        const double decay = is_weight ? job.update.weight_decay : 0;
        const double size = norm_of(part(before)), slope = norm_of(part(gradients));
        // The first direction: that of SGD is g + decay · w. The moments of Adam, corrected, are g
        // and g².
        std::vector<double> directions;
        double direction_size = 0;
        for (std::uint64_t i = 0; i < parameter.count; ++i) {
          const double w = static_cast<double>(part(before)[i]);
          const double g = static_cast<double>(part(gradients)[i]);
          using enum network::Optimizer;
          double r = g + decay * w;
          if (optimizer == Nesterov) r *= 1 + job.momentum;
          if (optimizer == Lars && is_weight)
            r *= job.update.trust * size / (slope + decay * size + job.update.epsilon);
          if (optimizer == Adam || optimizer == Lamb)
            r = g / (std::abs(g) + job.update.epsilon) + decay * w;
          directions.push_back(r);
          direction_size += r * r;
        }
        const double ratio = optimizer == network::Optimizer::Lamb && is_weight
                                 ? size / std::sqrt(direction_size)
                                 : 1;
        for (std::uint64_t i = 0; i < parameter.count; ++i)
          REQUIRE(static_cast<double>(part(after)[i]) ==
                  Approx(static_cast<double>(part(before)[i]) - rate * ratio * directions[i])
                      .epsilon(1e-4)
                      .margin(1e-5));
      }
  }
}
