// SPDX-License-Identifier: Apache-2.0
#include "sim/runner/simulation.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <csignal>

#include "models/base/random.h"
#include "models/collectives/algorithm.h"
#include "models/network/network.h"
#include "models/schedule/facts.h"
#include "models/training/iteration.h"
#include "tests/sim/scenario.h"

namespace lockstep::sim {

TEST_CASE("simulation: iterations follow each other without a barrier", "[simulation]") {
  // Rank 0 computes 1 s and sends without bytes; rank 1 receives and computes 3 s. Rank 0 runs
  // ahead.
  cost::Machine machine = free_machine();
  set_compute(machine);
  const Schedule schedule =
      listed({{compute(0), after(send(1, 0), {0})}, {receive(0, 0), after(compute(1), {0})}});
  topology::Topology near = star(2);
  for (topology::Link& link : near.links)
    link.latency = Time{};
  for (const Fidelity fidelity : kBoth) {
    const SimulatedRun result = run(schedule, cost_model(machine, 2, {1000, 3000}), near,
                                    Options{.fidelity = fidelity, .iterations = 3});
    REQUIRE(result.iterations[0].size() == 3);
    REQUIRE(result.iterations[1].size() == 3);
    for (int i = 0; i < 3; ++i) {
      const auto index = static_cast<std::size_t>(i);
      CHECK(result.iterations[0][index].start.picoseconds == i * kSecond);
      CHECK(result.iterations[0][index].end.picoseconds == (i + 1) * kSecond);
      // 1 + 3, then 3 each: the messages are there already.
      CHECK(result.iterations[1][index].end.picoseconds == (4 + 3 * i) * kSecond);
    }
    CHECK(result.messages == 3);
  }
}

TEST_CASE("simulation: ranks may begin at different times", "[simulation]") {
  // Rank 1 computes for 1 s from 5 s on.
  cost::Machine machine = free_machine();
  set_compute(machine);
  for (const Fidelity fidelity : kBoth) {
    const SimulatedRun result =
        run(listed({{compute(0)}, {compute(0)}}), cost_model(machine, 2, {1000}), star(2),
            Options{.fidelity = fidelity, .starts = {Time{0}, Time{5 * kSecond}}});
    CHECK(result.iterations[0][0].end.picoseconds == 1 * kSecond);
    CHECK(result.iterations[1][0].start.picoseconds == 5 * kSecond);
    CHECK(result.iterations[1][0].end.picoseconds == 6 * kSecond);
    CHECK(result.iterations[1][0].compute.picoseconds == 1 * kSecond);
  }
}

TEST_CASE("simulation: messages that arrive at one time are taken in in program order",
          "[simulation]") {
  // Both arrive 10 + 10 us after they left. The receiver takes 3 us for each; the first that its
  // program names comes first, whoever sent it.
  cost::Machine machine = free_machine();
  machine.message.receive_overhead_seconds = 3e-6;
  for (const Rank first : {1, 2}) {
    const Rank second = 3 - first;
    const SimulatedRun result =
        run(listed({{receive(first, 0), receive(second, 0)}, {send(0, 0)}, {send(0, 0)}}),
            cost_model(machine, 3), star(3), Fidelity::Flow);
    CHECK(end_of(result, 0, 0) == 23 * kMicrosecond);
    CHECK(end_of(result, 0, 1) == 26 * kMicrosecond);
  }
}

TEST_CASE("simulation: training iterations end for any ranks, whatever happens at one time",
          "[simulation]") {
  // Regression: a combination and another event that end at one time on one lane.
  const network::Network network = network::load_network("fashion-cnn");
  cost::Machine machine = free_machine();
  machine.cores = 2;
  machine.flops_per_core = 1e11;
  machine.memory_bytes_per_second = machine.core_memory_bytes_per_second = 2e10;
  machine.loopback_bytes_per_second = 2e9;
  machine.combine_seconds_per_byte = 1e-10;
  machine.message = {.send_overhead_seconds = 5e-6,
                     .receive_overhead_seconds = 5e-6,
                     .send_core_seconds_per_byte = 3e-10,
                     .receive_core_seconds_per_byte = 2e-10,
                     .latency_seconds = 2e-5,
                     .window_bytes = 1 << 20};
  for (const collectives::Algorithm algorithm : collectives::all_algorithms())
    for (std::int32_t ranks = 1; ranks <= 17; ++ranks) {
      CAPTURE(collectives::name_of(algorithm), ranks);
      training::Job job;
      job.ranks = ranks;
      job.algorithm = algorithm;
      std::vector<std::int32_t> groups;
      for (Rank rank = 0; rank < ranks; ++rank)
        groups.push_back(rank / 3);
      const training::Iteration iteration = training::make_iteration(job, network, groups);
      const auto size = static_cast<std::size_t>(ranks);
      const cost::CostModel cost(network, iteration.works, std::vector<std::int32_t>(size, 9), 1,
                                 std::vector<const cost::Machine*>(size, &machine),
                                 std::vector<double>(size, 1.0));
      topology::Topology one_host;
      one_host.hosts.emplace_back().name = "host";
      const SimulatedRun result = simulate(iteration.schedule, cost, one_host,
                                           std::vector<HostId>(size, 0), Options{.iterations = 3});
      for (const auto& iterations : result.iterations)
        CHECK(iterations.size() == 3);
    }
}

TEST_CASE("simulation: warm-up iterations leave no trace", "[simulation]") {
  cost::Machine machine = free_machine();
  set_compute(machine);
  const Schedule schedule = listed({{compute(0), send(1, 1000)}, {compute(0), receive(0, 1000)}});
  const SimulatedRun result =
      run(schedule, cost_model(machine, 2, {10}), star(2),
          Options{.fidelity = Fidelity::Flow, .iterations = 2, .warm_up_iterations = 3});
  for (const auto& iterations : result.iterations) {
    REQUIRE(iterations.size() == 2);
    CHECK(iterations[0].start.picoseconds == 30 * kMillisecond);
    CHECK(iterations[1].end.picoseconds == 50 * kMillisecond);
  }
  CHECK(result.bytes_sent == std::vector<std::uint64_t>{8000, 0});  // 2 · 1000 floats
  CHECK(result.link_bytes[0] == 8000);
  CHECK(result.spans.size() == 8);
  for (const results::TraceSpan& span : result.spans) {
    CHECK(span.start.picoseconds >= 30 * kMillisecond);
    CHECK((span.iteration == 0 || span.iteration == 1));
  }
  CHECK(result.messages == 5);
  // Bucket 0, its messages only: the Send of 4,000 B takes 4 us, the Recv these and 20 us of links;
  // the mean over ranks is 14 us.
  REQUIRE(result.bucket_seconds.size() == 1);
  CHECK(result.bucket_seconds[0] == Approx(14e-6));
}

TEST_CASE("simulation: time without computing is told apart by what it waits for", "[simulation]") {
  // Rank 0 computes 10 ms, then sends 1e6 B (1 ms, 20 us of links). Rank 1 computes 2 ms beside its
  // Recv: from 2 to 10 ms it waits for rank 0, until 11.02 ms for the bytes.
  cost::Machine machine = free_machine();
  set_compute(machine);
  const Schedule schedule =
      listed({{compute(0), after(send(1, 250'000), {0})}, {compute(1), receive(0, 250'000)}});
  for (const Fidelity fidelity : kBoth) {
    const SimulatedRun result = run(schedule, cost_model(machine, 2, {10, 2}), star(2), fidelity);
    const results::IterationFigures& sender = result.iterations[0][0];
    CHECK(sender.compute.picoseconds == 10 * kMillisecond);
    CHECK(sender.exposed.picoseconds ==
          kMillisecond + (fidelity == Fidelity::Ideal ? 20 * kMicrosecond : 0));
    CHECK(sender.waiting.picoseconds == 0);
    const results::IterationFigures& receiver = result.iterations[1][0];
    CHECK(receiver.compute.picoseconds == 2 * kMillisecond);
    CHECK(receiver.exposed.picoseconds == 9 * kMillisecond + 20 * kMicrosecond);
    CHECK(receiver.waiting.picoseconds == 8 * kMillisecond);
    CHECK(receiver.duration().picoseconds == 11 * kMillisecond + 20 * kMicrosecond);
  }
}

TEST_CASE("simulation: noise is drawn from the seed, for each rank and iteration", "[simulation]") {
  cost::Machine machine = free_machine();
  set_compute(machine);
  const Schedule schedule = listed({{compute(0)}, {compute(0)}});
  const auto durations = [&](double noise, std::uint64_t seed) {
    const SimulatedRun result = run(
        schedule, cost_model(machine, 2, {100}), star(2),
        Options{
            .fidelity = Fidelity::Flow, .iterations = 500, .compute_noise = noise, .seed = seed});
    std::vector<double> all;
    for (const auto& iterations : result.iterations)
      for (const results::IterationFigures& figures : iterations)
        all.push_back(figures.duration().seconds());
    return all;
  };
  for (const double duration : durations(0, 1))
    CHECK(duration == Approx(0.1));
  const std::vector<double> drawn = durations(0.05, 1);
  CHECK(drawn == durations(0.05, 1));
  CHECK(drawn != durations(0.05, 2));
  CHECK(drawn[0] != drawn[1]);    // another iteration
  CHECK(drawn[0] != drawn[500]);  // another rank
  double mean = 0;
  for (const double duration : drawn)
    mean += duration / 1000;
  double squares = 0;
  for (const double duration : drawn)
    squares += (duration - mean) * (duration - mean) / 1000;
  // 1000 draws: the mean errs by 0.05 / √1000 = 0.16 %, the spread by 1 / √2000 = 2.2 %.
  CHECK(mean == Approx(0.1).epsilon(0.01));
  CHECK(std::sqrt(squares) / mean == Approx(0.05).epsilon(0.1));
}

TEST_CASE("simulation: the same input gives the same result, whatever ran before", "[simulation]") {
  cost::Machine machine = free_machine();
  machine.message = {1e-6, 2e-6, 0.3e-9, 0.4e-9, 5e-6, 3000, 0};
  machine.loopback_bytes_per_second = 3e9;
  const auto once = [&](std::int32_t ranks) {
    return run(collectives::all_reduce_schedule(collectives::Algorithm::Ring, ranks, 9999, 300),
               cost_model(machine, ranks), star(3),
               Options{.fidelity = Fidelity::Flow, .iterations = 2});
  };
  const SimulatedRun first = once(7);
  const SimulatedRun other = once(8);
  CHECK(same(first, once(7)));
  CHECK(same(other, once(8)));
  CHECK_FALSE(same(first, other));
}

namespace {

/// Messages in a random global order, which both ends heed, computations between them, and random
/// dependencies on earlier steps of the same rank: it ends on any network.
Schedule random_messages(Random& random, std::int32_t ranks) {
  std::vector<std::vector<Step>> lists(static_cast<std::size_t>(ranks));
  const auto add = [&](Rank rank, Step step) {
    std::vector<Step>& list = lists[static_cast<std::size_t>(rank)];
    for (int i = 0; i < 2; ++i)
      if (!list.empty() && random.below(3) == 0)
        step.wait_for(static_cast<schedule::StepIndex>(random.below(list.size())));
    list.push_back(step);
  };
  const std::uint64_t count = 1 + random.below(60);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto from = static_cast<Rank>(random.below(static_cast<std::uint64_t>(ranks)));
    const auto to = static_cast<Rank>(random.below(static_cast<std::uint64_t>(ranks)));
    if (from == to) {
      if (random.below(2) == 0)
        add(from, compute(static_cast<std::int32_t>(random.below(3))));
      else
        add(from, combine(random.below(1000)));
      continue;
    }
    const std::uint64_t floats = random.below(4) == 0 ? 0 : random.below(5000);
    const auto stream = static_cast<std::uint8_t>(random.below(2));
    add(from, send(to, floats, stream));
    add(to,
        receive(from, floats, random.below(2) == 0 ? Operator::Sum : Operator::Replace, stream));
  }
  return listed(lists);
}

}  // namespace

TEST_CASE("simulation: random schedules end, with every byte where it belongs", "[simulation]") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const auto ranks = static_cast<std::int32_t>(1 + random.below(6));
    const Schedule schedule = random_messages(random, ranks);
    cost::Machine machine = free_machine();
    set_compute(machine, 1e9 * static_cast<double>(random.below(4)));
    machine.layers[0].seconds.per_unit = 1e-6;
    machine.memory_bytes_per_second = 5e9;
    machine.loopback_bytes_per_second = 2e9;
    machine.combine_seconds_per_byte = 0.2e-9;
    machine.message = {1e-6 * static_cast<double>(random.below(3)),
                       1e-6 * static_cast<double>(random.below(3)),
                       0.5e-9,
                       0.7e-9,
                       1e-6,
                       random.below(3) * 5000,
                       0};
    const topology::Topology topology = star(1 + static_cast<int>(random.below(5)));
    for (const Fidelity fidelity : kBoth) {
      const SimulatedRun result = run(schedule, cost_model(machine, ranks, {1, 5, 20}), topology,
                                      Options{.fidelity = fidelity, .iterations = 2});
      std::size_t steps = 0;
      std::uint64_t total = 0;
      for (Rank rank = 0; rank < ranks; ++rank) {
        const schedule::RankFacts facts = schedule::rank_facts(schedule, rank);
        REQUIRE(result.bytes_sent[static_cast<std::size_t>(rank)] == 2 * facts.bytes_sent);
        steps += 2 * schedule::steps_of(schedule.fragments[0], rank).size();
        // Between two hosts a message takes one link up and one down.
        for (const schedule::PairBytes& pair : facts.sent)
          if (pair.peer % static_cast<Rank>(topology.hosts.size()) !=
              rank % static_cast<Rank>(topology.hosts.size()))
            total += 2 * 2 * pair.bytes;
      }
      REQUIRE(result.spans.size() == steps);
      for (const std::uint64_t bytes : result.link_bytes)
        total -= bytes;
      REQUIRE(total == 0);
    }
  }
}

TEST_CASE("simulation: at half the speed of everything all takes twice as long", "[simulation]") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const auto ranks = static_cast<std::int32_t>(2 + random.below(5));
    const Schedule schedule = random_messages(random, ranks);
    const auto time = [&](double slow) {
      cost::Machine machine = free_machine();
      // Threads and flows share nothing here: their weights are in proportion to a flow's usual
      // rate, which does not scale.
      machine.cores = 64;
      set_compute(machine);
      machine.layers[0].seconds.per_unit = 1e-6 * slow;
      machine.memory_bytes_per_second = 5e9 / slow;
      machine.loopback_bytes_per_second = 2e9 / slow;
      machine.combine_seconds_per_byte = 0.2e-9 * slow;
      machine.message = {
          1e-6 * slow, 2e-6 * slow, 0.5e-9 * slow, 0.7e-9 * slow, 1e-6 * slow, 5000, 0};
      topology::Topology topology = star(3);
      for (topology::Link& link : topology.links) {
        link.bytes_per_second /= slow;
        link.latency = Time::from_seconds(link.latency.seconds() * slow);
      }
      return last_end(
          run(schedule, cost_model(machine, ranks, {1, 5, 20}), topology, Fidelity::Flow));
    };
    // What is left is rounding, a few picoseconds for each event of a chain.
    const std::int64_t fast = time(1);
    const std::int64_t slow = time(2);
    REQUIRE(std::abs(slow - 2 * fast) <= 2000);
  }
}

TEST_CASE("simulation: a schedule that cannot end fails and names the steps that wait",
          "[simulation]") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    signal(SIGABRT, SIG_DFL);  // Catch's handler would report it as this test's failure
    const cost::Machine machine = free_machine();
    const Schedule schedule = listed(
        {{receive(1, 10), after(send(1, 10), {0})}, {receive(0, 10), after(send(0, 10), {0})}});
    run(schedule, cost_model(machine, 2), star(2), Fidelity::Flow);
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char piece[256];
  for (ssize_t size = 0; (size = read(ends[0], piece, sizeof piece)) > 0;)
    text.append(piece, static_cast<std::size_t>(size));
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK_THAT(text, Catch::Contains("2 ranks have not finished"));
  CHECK_THAT(text, Catch::Contains("rank 0, steps, step 0: receive data[0, 10) from 1"));
  CHECK_THAT(text, Catch::Contains("rank 1, steps, step 0: receive data[0, 10) from 0"));
}

}  // namespace lockstep::sim
