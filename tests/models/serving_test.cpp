// SPDX-License-Identifier: Apache-2.0
// The asynchronous parameter server: its proof, what the proof finds, and whole numbers learnt by
// it in any order of things.
#include "models/training/serving.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <functional>
#include <utility>

#include "tests/support/in_memory.h"

using namespace lockstep;
using schedule::Slice;
using schedule::Step;
using training::Iteration;
using training::Job;

namespace {

constexpr std::int32_t kUnbounded = training::kUnboundedStaleness;

/// Three layers that learn, of 20, 60 and 33 parameters.
network::Network small_network() {
  return network::parse_network(
      R"({"name":"n","input":{"height":4,"width":4,"channels":1},"classes":3,"layers":[
        {"kind":"convolution","channels":2,"kernel":3},{"kind":"relu"},
        {"kind":"dense","features":7},{"kind":"relu"},{"kind":"dense","features":3}]})",
      "n.json");
}

Job job_of(std::int32_t ranks, std::int32_t staleness, std::int32_t in_flight = 2) {
  Job job;
  job.ranks = ranks;
  job.algorithm = collectives::Algorithm::ParameterServer;
  job.staleness = staleness;
  job.bucket_bytes = 1;
  job.buckets_in_flight = in_flight;
  return job;
}

std::string proof_of(const Iteration& iteration) {
  std::string text;
  for (const Iteration::Claim& claim : iteration.claims())
    for (const schedule::Violation& violation : schedule::verify(claim.schedule, claim.contract))
      text += violation.message + "\n";
  return text;
}

schedule::Fragment& fragment(Iteration& iteration, const std::string& name) {
  for (schedule::Fragment& fragment : iteration.schedule.fragments)
    if (fragment.name == name) return fragment;
  FAIL("there is no fragment " << name);
  return iteration.schedule.fragments.front();
}

/// Without the waits of a fragment for another.
Iteration without(Iteration iteration, const std::string& name, const std::string& before) {
  const auto is_meant = [&](const schedule::After& after) {
    return iteration.schedule.fragments[after.fragment].name == before;
  };
  REQUIRE(std::erase_if(fragment(iteration, name).after, is_meant) > 0);
  return iteration;
}

}  // namespace

TEST_CASE("serving: proven for every number of ranks, staleness, overlap, buckets in flight",
          "[serving]") {
  const network::Network network = small_network();
  for (const std::int32_t ranks : {1, 2, 3, 4, 5})
    for (const std::int32_t staleness : {0, 1, 3, kUnbounded})
      for (const std::int32_t in_flight : {1, 2, 3})
        for (const bool overlap : {true, false})
          for (const std::int32_t micro_batches : {1, 2}) {
            Job job = job_of(ranks, staleness, in_flight);
            job.overlap = overlap;
            job.accumulate = micro_batches;
            CAPTURE(ranks, staleness, in_flight, overlap, micro_batches);
            CHECK(proof_of(training::make_iteration(job, network)) == "");
          }
}

TEST_CASE("serving: the proof finds every wait that is missing", "[serving]") {
  const network::Network network = small_network();
  const std::int32_t staleness = GENERATE(0, 1, 2);
  CAPTURE(staleness);
  const Iteration good = training::make_iteration(job_of(3, staleness, 1), network);
  REQUIRE(proof_of(good) == "");
  const auto fault = [&](const char* name, const char* before) {
    return proof_of(without(good, name, before));
  };
  using Catch::Matchers::Contains;
  // What is handed out before others' gradients are applied.
  CHECK_THAT(fault("hand out 0 to rank +1", "applied 0"), Contains("may lack the gradient of"));
  CHECK_THAT(fault("take 1", "applied 1"), Contains("may lack the gradient of"));
  CHECK_THAT(fault("applied 1", "apply 1 of rank +2"), Contains("may lack the gradient of"));
  CHECK_THAT(fault("applied 1", "apply 1"), Contains("may lack the gradient of"));
  // Gradients that are applied before all have been handed what comes before them.
  for (const char* name : {"apply 0 of rank +1", "apply 0"})
    CHECK_THAT(fault(name, "handed out 0"), Contains("more than the staleness behind"));
  CHECK_THAT(fault("handed out 0", "hand out 0 to rank +2"),
             Contains("more than the staleness behind"));
  // Boxes and streams that are used again too early; gradients that are not there yet.
  if (staleness > 0)  // otherwise it waits for all gradients
    CHECK_THAT(fault("hand out 2 to rank +1", "apply 2 of rank +1"),
               Contains("both touch scratch"));
  CHECK_THAT(fault("apply 1 of rank +1", "apply 0 of rank +1"), Contains("shares its channel"));
  CHECK_THAT(fault("apply 0 of rank +1", "apply 2 of rank +1"), Contains("shares its channel"));
  CHECK_THAT(fault("push 0", "compute"), Contains("both touch gradients"));
  CHECK_THAT(fault("pull 0", "compute"), Contains("both touch parameters"));
}

TEST_CASE("serving: the proof finds what is applied or handed out wrongly", "[serving]") {
  const network::Network network = small_network();
  const Iteration good = training::make_iteration(job_of(2, kUnbounded), network);
  REQUIRE(proof_of(good) == "");
  const auto changed = [&](const std::string& name, const auto& change) {
    Iteration iteration = good;
    schedule::Fragment& changed = fragment(iteration, name);
    std::vector<std::vector<Step>> lists;
    for (Rank rank = 0; rank < 2; ++rank)
      lists.push_back(steps_of(changed, rank));
    change(lists);
    changed.steps = std::make_shared<schedule::StepList>(lists);
    return proof_of(iteration);
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(changed("apply 0 of rank +1",
                     [](auto& lists) {
                       lists[0].push_back(lists[0][1]);
                       lists[1].push_back({});
                     }),
             Contains("a second time"));
  CHECK_THAT(changed("apply 0", [](auto& lists) { ++lists[0][0].into.first; }),
             Contains("no gradient of served parameters"));
  CHECK_THAT(changed("apply 0 of rank +1", [](auto& lists) { lists[0][1].verb = {}; }),
             Contains("an unused slot waits"));
  CHECK_THAT(changed("take 0", [](auto& lists) { lists[0][0].from.count = 1; }),
             Contains("another number of elements"));
  CHECK_THAT(changed("take 0", [](auto& lists) { lists[1][0].lane = schedule::Lane::Compute; }),
             Contains("may do so while others do"));
  CHECK_THAT(changed("hand out 1 to rank +1",
                     [](auto& lists) {
                       lists[0][1].from = {training::kServed, 0, 30};
                     }),
             Contains("may do so while others do"));
}

namespace {

/// What a rank's gradient of an element is, in an iteration, by what the rank sees there. Whole
/// numbers, so that no order of additions makes a difference.
using Gradient = std::function<float(Rank rank, std::int32_t iteration, float seen)>;

/// A run of the schedule: updates subtract, everything else is as the steps say.
class Learning {
 public:
  Learning(const Iteration& iteration, std::uint64_t seed, support::Sends sends, Gradient gradient)
      : iteration_(iteration),
        gradient_(std::move(gradient)),
        run_(iteration.schedule, seed, sends),
        seen_(static_cast<std::size_t>(iteration.schedule.ranks)) {
    run_.on_compute([this](Rank rank, const Step& step, std::int32_t i) { act(rank, step, i); });
  }

  void run(std::int32_t iterations) { run_.run(iterations); }
  /// What rank computes with.
  std::vector<float>& parameters(Rank rank) { return run_.buffer(rank, training::kParameters); }
  /// Of each element, at its server.
  std::vector<float> served() {
    const std::int32_t ranks = iteration_.schedule.ranks;
    std::vector<float> all(parameters(0).size());
    for (const training::Bucket& bucket : iteration_.buckets)
      for (Rank rank = 0; rank < ranks; ++rank) {
        const Slice shard = training::shard_of(bucket, training::kServed, rank, ranks);
        for (std::uint64_t i = shard.first; i < shard.end(); ++i)
          all[i] = run_.buffer(rank, training::kServed)[i];
      }
    return all;
  }

 private:
  void act(Rank rank, const Step& step, std::int32_t i) {
    if (step.target < 0 || static_cast<std::size_t>(step.target) >= iteration_.works.size()) return;
    const network::Work& work = iteration_.works[static_cast<std::size_t>(step.target)];
    const auto floats = [&](const Slice& slice) {
      return std::span(run_.buffer(rank, slice.buffer)).subspan(slice.first, slice.count);
    };
    switch (work.kind) {
      case network::WorkKind::Forward:
        if (work.stage == 0) seen_[static_cast<std::size_t>(rank)] = parameters(rank);
        break;
      case network::WorkKind::Backward:
        for (std::uint64_t e = step.into.first; e < step.into.end(); ++e) {
          // Nothing has changed since the forward pass.
          REQUIRE(parameters(rank)[e] == seen_[static_cast<std::size_t>(rank)][e]);
          run_.buffer(rank, training::kGradients)[e] = gradient_(rank, i, parameters(rank)[e]);
        }
        break;
      case network::WorkKind::Apply: {
        const std::span<float> from = floats(step.from), into = floats(step.into);
        for (std::size_t e = 0; e < into.size(); ++e)
          into[e] -= from[e];
        break;
      }
      case network::WorkKind::HandOut:
        std::ranges::copy(floats(step.from), floats(step.into).begin());
        break;
      default:
        break;
    }
  }

  const Iteration& iteration_;
  Gradient gradient_;
  support::InMemoryRun run_;
  std::vector<std::vector<float>> seen_;  // by rank: its parameters when its iteration began
};

}  // namespace

TEST_CASE("serving: with staleness 0 every order of things gives what synchronous training gives",
          "[serving]") {
  constexpr std::uint64_t kSeed = 20261126;
  constexpr std::int32_t kIterations = 7;
  const network::Network network = small_network();
  const Gradient gradient = [](Rank rank, std::int32_t iteration, float seen) {
    return static_cast<float>(1 + rank + 3 * (iteration % 4) - static_cast<std::int32_t>(seen) % 3);
  };
  for (const std::int32_t ranks : {1, 2, 3, 4})
    for (const std::int32_t in_flight : {1, 3}) {
      const Iteration iteration = training::make_iteration(job_of(ranks, 0, in_flight), network);
      std::vector<float> expected(network.flat_count);
      for (std::int32_t i = 0; i < kIterations; ++i)
        for (float& value : expected) {
          const float seen = value;
          for (Rank rank = 0; rank < ranks; ++rank)
            value -= gradient(rank, i, seen);
        }
      for (std::uint64_t trial = 0; trial < 40; ++trial)
        for (const auto sends : {support::Sends::Eager, support::Sends::Rendezvous}) {
          INFO("seed " << kSeed + trial << ", " << ranks << " ranks");
          Learning learning(iteration, kSeed + trial, sends, gradient);
          learning.run(3);
          learning.run(kIterations - 3);
          for (Rank rank = 0; rank < ranks; ++rank)
            REQUIRE(learning.parameters(rank) == expected);
          REQUIRE(learning.served() == expected);
        }
    }
}

TEST_CASE("serving: in every order of things the bound holds and each gradient counts once",
          "[serving]") {
  // Each gradient adds one to its rank's count of five bits in every element: what a rank sees is
  // how many of each rank's have been applied.
  constexpr std::uint64_t kSeed = 20261127;
  constexpr std::int32_t kIterations = 12;
  const network::Network network = small_network();
  const std::int32_t ranks = GENERATE(2, 3, 4);
  const std::int32_t staleness = GENERATE(0, 1, 2, kUnbounded);
  const Iteration iteration = training::make_iteration(job_of(ranks, staleness), network);
  const auto count = [](float value, Rank rank) {
    return static_cast<std::int32_t>(value) >> (5 * rank) & 31;
  };
  std::int32_t furthest = 0;  // that anybody's view was from another's iteration
  for (std::uint64_t trial = 0; trial < 60; ++trial) {
    INFO("seed " << kSeed + trial << ", " << ranks << " ranks, staleness " << staleness);
    const auto sends = trial % 2 == 0 ? support::Sends::Eager : support::Sends::Rendezvous;
    Learning learning(iteration, kSeed + trial, sends, [&](Rank rank, std::int32_t i, float seen) {
      for (Rank other = 0; other < ranks; ++other) {
        const std::int32_t distance = std::abs(count(seen, other) - i);
        furthest = std::max(furthest, distance);
        REQUIRE(distance <= (other == rank ? 0 : staleness));
      }
      return -static_cast<float>(1 << (5 * rank));
    });
    learning.run(kIterations);
    for (const float value : learning.served())
      for (Rank rank = 0; rank < ranks; ++rank)
        REQUIRE(count(value, rank) == kIterations);
  }
  CHECK((furthest > 0) == (staleness > 0));  // ranks do drift apart
}
