// SPDX-License-Identifier: Apache-2.0
// Fitting, machine files and the prices of steps.
#include <catch2/catch.hpp>

#include <cmath>

#include "models/base/errors.h"
#include "models/base/random.h"
#include "models/cost/cost_model.h"
#include "models/cost/fit.h"
#include "models/training/iteration.h"

using namespace lockstep;
using cost::Line;
using cost::Sample;

namespace {

cost::Machine datasheet() {
  return cost::parse_machine(R"({
    "schema": "lockstep.machine/1", "name": "paper", "origin": "datasheet", "cores": 4,
    "flops_per_core": "100 GFLOP/s", "memory_bandwidth": "20 GB/s",
    "loopback_bandwidth": "2 GB/s", "combine_per_byte": "0.1 ns",
    "message": {"send_overhead": "5 us", "receive_overhead": "5 us",
                "send_core_per_byte": "0.3 ns", "receive_core_per_byte": "0.2 ns",
                "latency": "20 us", "window": "1 MiB"}})",
                             "paper.json");
}

std::string error_of(const std::string& text) {
  try {
    cost::parse_machine(text, "m.json");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("fit: an exact line is found, whatever its coefficients") {
  const std::uint64_t seed = 20251;
  CAPTURE(seed);
  Random random(seed);
  for (int trial = 0; trial < 100; ++trial) {
    const double a = random.uniform() * 1e-3;
    const double b = random.uniform() * 1e-4 + 1e-7;
    std::vector<Sample> samples;
    for (const double batch : {8.0, 16.0, 64.0, 256.0})
      samples.push_back({batch, a + b * batch});
    const Line line = cost::fit_line(samples);
    CHECK(line.fixed == Approx(a).margin(1e-12));
    CHECK(line.per_unit == Approx(b).epsilon(1e-6));
    CHECK(line.relative_residual < 1e-6);
  }
}

TEST_CASE("fit: coefficients are never negative, and the residual says what is left") {
  // Falling with size: the best line would have a negative slope; then the slope is 0 and the
  // constant minimises Σ((a − t)/t)² = Σ(1/t)/Σ(1/t²) = (1/2 + 1/1)/(1/4 + 1) = 1.2.
  const Line falling = cost::fit_line(std::vector<Sample>{{1, 2}, {2, 1}});
  CHECK(falling.per_unit == 0);
  CHECK(falling.fixed == Approx(1.2));
  // Measured ÷ fitted − 1: 2/1.2 − 1 = 0.667, 1/1.2 − 1 = −0.167; root mean square 0.486.
  CHECK(falling.relative_residual == Approx(std::sqrt((4.0 / 9 + 1.0 / 36) / 2)));
  // Convex through the origin: the fixed part would be negative.
  CHECK(cost::fit_line(std::vector<Sample>{{1, 1}, {2, 4}}).fixed == 0);
}

TEST_CASE("a row's time: straight between samples, outside them by the line from the nearest") {
  cost::LayerCost row;
  row.seconds = {.fixed = 1, .per_unit = 1};
  CHECK(row.seconds_of(9) == Approx(10));
  row.samples = {{1, 4}, {3, 8}, {7, 10}};
  CHECK(row.seconds_of(3) == Approx(8));
  CHECK(row.seconds_of(2) == Approx(6));    // half way from 4 to 8
  CHECK(row.seconds_of(6) == Approx(9.5));  // three quarters of the way from 8 to 10
  // The line says 8 at 7 and 16 at 15: twice as much as the nearest sample's 10.
  CHECK(row.seconds_of(15) == Approx(20));
  // Between its neighbours the middle sample would be 4 + 6/3 = 6, but is 8.
  CHECK(cost::interpolation_residual(row.samples) == Approx(1.0 / 3));
  // At 7 the line from 8 to 22 says 8 + 14·4/8 = 15, which 10 misses by a third too: 1/9 of 8 s and
  // of 10 s.
  row.samples.push_back({11, 22});
  CHECK(cost::interpolation_residual(row.samples) == Approx(1.0 / 3));
  row.samples = {{1, 4}, {3, 8}, {7, 10}, {11, 12}};  // from 8 to 12: 10 at 7
  CHECK(cost::interpolation_residual(row.samples) == Approx(std::sqrt(8.0 / 9 / 18)));
}

TEST_CASE("memory traffic: what makes fair sharing come out at the measured slow-down") {
  // Alone 1 s, beside a neighbour of 10 GB/s on a host of 16 GB/s 1.25 s: the level is 0.8, the
  // demand at full speed 16 / 0.8 = 20 GB/s, less the neighbour's 10: 10 GB/s.
  CHECK(cost::memory_traffic(1, 1.25, 10e9, 16e9) == Approx(10e9));
  // No slow-down: it needs at most what the neighbour leaves.
  CHECK(cost::memory_traffic(1, 0.99, 10e9, 16e9) == Approx(6e9));
  // Never more than the neighbour, whose core does nothing else: alone it would be slowed down too.
  CHECK(cost::memory_traffic(1, 3, 10e9, 16e9) == Approx(10e9));
}

TEST_CASE("machine files: what is written reads back as the same machine") {
  cost::Machine machine = datasheet();
  machine.origin = cost::Origin::Measured;
  machine.date = "2026-01-02T03:04:05Z";
  machine.message.relative_residual = 0.07;
  machine.run_to_run_residual = 1.0 / 3;
  machine.turn_dispersion = 4e-4;
  machine.quota_slowdown = 0.3;
  machine.layers.push_back({.signature = "conv 3x3/1+0 28x28x1 -> 26x26x32, first",
                            .direction = "forward",
                            .threads = 2,
                            .seconds = {1.0 / 7, 1e-6 / 3, 0.01},
                            .memory_bytes_per_unit = 12345.5,
                            .samples = {{8, 0.1}, {256, 1.0 / 3}}});
  const std::string text = cost::to_json(machine);
  const cost::Machine again = cost::parse_machine(text, "again.json");
  CHECK(cost::to_json(again) == text);
  CHECK(again.layers[0].seconds.per_unit == machine.layers[0].seconds.per_unit);
  CHECK(again.message.latency_seconds == machine.message.latency_seconds);
}

TEST_CASE("machine files: errors name the file, the place and what was expected") {
  CHECK(error_of("{") != "");
  CHECK(error_of(R"({"schema": "lockstep.machine/1", "nmae": "x"})").find("nmae") !=
        std::string::npos);
  std::string text = cost::to_json(datasheet());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    const std::size_t at = changed.find(from);
    REQUIRE(at != std::string::npos);
    return error_of(changed.replace(at, from.size(), to));
  };
  CHECK(with("FLOP/s", "apples").find("m.json: /flops_per_core: unknown unit") == 0);
  CHECK(with("\"cores\": 4", "\"cores\": -4").find("m.json: /cores") == 0);
  CHECK(with("\"datasheet\"", "\"guess\"").find("m.json: /origin: expected") == 0);
  CHECK(with("machine/1", "machine/9").find("m.json: /schema: expected") == 0);
}

TEST_CASE("cost model: rows nobody measured are priced by the roofline and named") {
  const network::Network network = network::load_network("fashion-cnn");
  training::Job job;
  job.ranks = 2;
  const training::Iteration iteration = training::make_iteration(job, network);
  const cost::Machine machine = datasheet();
  const cost::CostModel model(network, iteration.works, {32, 32}, 1, {&machine, &machine}, {1, 2});
  CHECK(model.estimated_rows().size() == iteration.works.size());
  // conv2 forward: 64 filters of 3·3·32 on 24·24 outputs, 2 FLOP each: 21.2 MFLOP an image; at
  // 100 GFLOP/s and 32 images 6.79 ms. Its bytes take less, its weights a little more.
  const double flops = 2.0 * 64 * 9 * 32 * 24 * 24;
  const std::int32_t conv2_forward = 2;  // input, conv1, conv2
  const double expected = 32 * flops / 100e9 + 4 * 18'496 / 20e9;
  CHECK(model.compute(0, conv2_forward).seconds == Approx(expected));
  // Rank 1's host is twice as fast.
  CHECK(model.compute(1, conv2_forward).seconds == Approx(expected / 2));
  // All rows are guesses to the same side, so the spread of their sum is that of one.
  CHECK(model.compute_spread(0) == Approx(cost::kRooflineSpread).epsilon(0.01));
}

TEST_CASE("cost model: a measured row is a line in the batch, and a batch outside is named") {
  const network::Network network = network::load_network("lenet5");
  const training::Iteration iteration = training::make_iteration(training::Job{}, network);
  cost::Machine machine = datasheet();
  const cost::RowName name = cost::row_name(iteration.works[1], network);
  machine.layers.push_back({.signature = name.signature,
                            .direction = name.direction,
                            .threads = 1,
                            .seconds = {1e-3, 1e-5, 0.02},
                            .memory_bytes_per_unit = 1000,
                            .samples = {{8, 1.08e-3}, {64, 1.64e-3}}});
  const cost::CostModel model(network, iteration.works, {100}, 1, {&machine}, {1});
  // 1 ms + 100 · 10 us = 2 ms; 100 · 1000 bytes.
  CHECK(model.compute(0, 1).seconds == Approx(2e-3));
  CHECK(model.compute(0, 1).memory_bytes == Approx(1e5));
  REQUIRE(model.extrapolated_rows().size() == 1);
  CHECK(model.extrapolated_rows()[0].find("at batch 100, measured from 8 to 64") !=
        std::string::npos);
}

TEST_CASE("cost model: between two thread counts speed is straight, outside them it is named") {
  const network::Network network = network::load_network("lenet5");
  const training::Iteration iteration = training::make_iteration(training::Job{}, network);
  cost::Machine machine = datasheet();
  const cost::RowName name = cost::row_name(iteration.works[1], network);
  const auto measured = [&](std::int32_t threads, double seconds) {
    machine.layers.push_back({.signature = name.signature,
                              .direction = name.direction,
                              .threads = threads,
                              .seconds = {0, seconds / 64, 0.02},
                              .memory_bytes_per_unit = 100.0 * threads,
                              .samples = {{32, seconds / 2}, {64, seconds}}});
  };
  measured(1, 4e-3);
  measured(4, 2e-3);
  const auto model = [&](std::int32_t threads) {
    return cost::CostModel(network, iteration.works, {64}, threads, {&machine}, {1});
  };
  CHECK(model(1).compute(0, 1).seconds == Approx(4e-3));
  CHECK(model(4).compute(0, 1).seconds == Approx(2e-3));
  // 250 and 500 batches a second with 1 and 4 threads: a third of the way 333, 3 ms.
  CHECK(model(2).compute(0, 1).seconds == Approx(3e-3));
  CHECK(model(2).compute(0, 1).memory_bytes == Approx(64 * 200));
  CHECK(model(2).compute(0, 1).cores == 2);
  CHECK(model(2).extrapolated_rows().empty());
  // With 8 threads twice as fast as with 4, if need be.
  CHECK(model(8).compute(0, 1).seconds == Approx(1e-3));
  REQUIRE(model(8).extrapolated_rows().size() == 1);
  CHECK(model(8).extrapolated_rows()[0].find("with 8 threads, measured with 1 to 4") !=
        std::string::npos);
}

TEST_CASE("cost model: a receive that adds pays for it per byte") {
  const cost::Machine machine = datasheet();
  const cost::CostModel model({&machine, &machine}, {1, 1});
  const cost::MessageDemand store = model.message(0, 1, false, schedule::Operator::Replace);
  const cost::MessageDemand add = model.message(0, 1, false, schedule::Operator::Sum);
  CHECK(store.receive_core_seconds_per_byte == Approx(0.2e-9));
  CHECK(add.receive_core_seconds_per_byte == Approx(0.3e-9));
  CHECK(add.latency_seconds == Approx(20e-6));
}

TEST_CASE("cost model: between hosts other costs may hold than within one") {
  cost::Machine machine = datasheet();
  machine.between_hosts = machine.message;
  machine.between_hosts->latency_seconds = 70e-6;
  machine.between_hosts->send_core_seconds_per_byte = 0.05e-9;
  const cost::Machine read = cost::parse_machine(to_json(machine), "written");
  const cost::CostModel model({&read, &read}, {1, 1});
  const cost::MessageDemand far = model.message(0, 1, false, schedule::Operator::Replace);
  CHECK(far.latency_seconds == Approx(70e-6));
  CHECK(far.send_core_seconds_per_byte == Approx(0.05e-9));
  const cost::MessageDemand near = model.message(0, 1, true, schedule::Operator::Replace);
  CHECK(near.latency_seconds == Approx(machine.message.latency_seconds));
  CHECK(near.send_core_seconds_per_byte == Approx(machine.message.send_core_seconds_per_byte));
}

TEST_CASE("interval: deviations add in squares, and times are not negative") {
  const cost::Interval interval = cost::interval_90(0.1, {2.4e-3, 4e-3, 1e-3});
  const double half = 1.645 * std::sqrt(2.4 * 2.4 + 4.0 * 4.0 + 1.0) * 1e-3;
  CHECK(interval.low == Approx(0.1 - half));
  CHECK(interval.high == Approx(0.1 + half));
  CHECK(cost::interval_90(0.1, {0.2}).low == 0);
  CHECK(cost::interval_90(0.1, {}).high == 0.1);
}
