// SPDX-License-Identifier: Apache-2.0
#include "models/cost/exchange.h"

#include <catch2/catch.hpp>

#include "models/cost/cost_model.h"

namespace lockstep::cost {
namespace {

using schedule::Operator;

constexpr double kMicro = 1e-6;

/// Two sizes of memory, two of messages; adding takes twice as long as storing.
std::vector<MessageSample> table(double slower) {
  std::vector<MessageSample> samples;
  for (const double working_set : {1e4, 1e6})
    for (const double bytes : {0.0, 1000.0}) {
      const double unit = slower * kMicro * (1 + bytes / 1000) * (working_set > 1e5 ? 3 : 1);
      samples.push_back({.working_set = working_set,
                         .bytes = bytes,
                         .send_seconds = unit,
                         .store_seconds = 2 * unit,
                         .add_seconds = 4 * unit,
                         .round_seconds = 8 * unit});
    }
  return samples;
}

ExchangeCosts costs() {
  return {.apart = table(1), .together = table(10), .crowded = table(100)};
}

double send_seconds(double working_set, double bytes, Nearness nearness = Nearness::Apart) {
  return polled_message(costs(), nearness, working_set, bytes, Operator::Sum).send_seconds;
}

TEST_CASE("exchange: between measured sizes linear, between memories by the logarithm",
          "[cost][exchange]") {
  CHECK(send_seconds(1e4, 0) == Approx(1 * kMicro));
  CHECK(send_seconds(1e4, 500) == Approx(1.5 * kMicro));
  CHECK(send_seconds(1e5, 0) == Approx(2 * kMicro));  // halfway from 1e4 to 1e6
  CHECK(send_seconds(1e5, 500) == Approx(3 * kMicro));
  CHECK(send_seconds(1, 0) == Approx(1 * kMicro));  // below and above what was measured
  CHECK(send_seconds(1e9, 0) == Approx(3 * kMicro));
  CHECK(send_seconds(1e4, 4000) == Approx(8 * kMicro));  // in proportion
}

TEST_CASE(
    "exchange: storing is cheaper than adding; what was not measured is taken from what is "
    "nearest",
    "[cost][exchange]") {
  const PolledMessage stored =
      polled_message(costs(), Nearness::Together, 1e4, 0, Operator::Replace);
  CHECK(stored.receive_seconds == Approx(20 * kMicro));
  CHECK(polled_message(costs(), Nearness::Together, 1e4, 0, Operator::Max).receive_seconds ==
        Approx(40 * kMicro));
  ExchangeCosts few = costs();
  few.crowded.clear();
  CHECK(polled_message(few, Nearness::Crowded, 1e4, 0, Operator::Sum).send_seconds ==
        Approx(1 * kMicro));
  few.apart.clear();
  CHECK(polled_message(few, Nearness::Crowded, 1e4, 0, Operator::Sum).send_seconds ==
        Approx(10 * kMicro));
}

TEST_CASE("exchange: what a round takes beyond its work is latency, or turns", "[cost][exchange]") {
  // Apart: 8 µs a round, of which 1 sending and 4 adding.
  CHECK(polled_message(costs(), Nearness::Crowded, 1e4, 0, Operator::Sum).latency_seconds ==
        Approx(3 * kMicro));
  // Together: 80 µs a round, of which 2 × 50 are work.
  CHECK(turn_seconds(costs()) == 0);
  ExchangeCosts slow = costs();
  for (MessageSample& sample : slow.together)
    sample.round_seconds *= 2;
  CHECK(turn_seconds(slow) == Approx(30 * kMicro));
  CHECK(turn_seconds({}) == 0);
}

TEST_CASE(
    "exchange: a training job's messages through shared memory cost the sender nothing by "
    "the byte, and have no window",
    "[cost][exchange]") {
  Machine machine;
  machine.message = {.send_overhead_seconds = 5e-6,
                     .receive_overhead_seconds = 5e-6,
                     .send_core_seconds_per_byte = 3e-10,
                     .receive_core_seconds_per_byte = 2e-10,
                     .latency_seconds = 2e-5,
                     .window_bytes = 1 << 20};
  ExchangeCosts shared = costs();
  for (MessageSample& sample : shared.apart)
    sample.send_seconds = kMicro;
  machine.exchanges[IntraHost::SharedMemory] = shared;
  const CostModel model(network::Network{}, {{.kind = network::WorkKind::Update, .count = 1}},
                        {1, 1}, 1, {&machine, &machine}, {1, 1}, {IntraHost::SharedMemory, 1e4});
  CHECK_FALSE(model.polls(0));
  const MessageDemand near = model.message(0, 1, true, Operator::Replace);
  CHECK(near.send_overhead_seconds == Approx(kMicro));
  CHECK(near.send_core_seconds_per_byte == 0);
  CHECK(near.receive_core_seconds_per_byte == Approx(2e-9));
  CHECK(near.window_bytes == 0);
  CHECK(near.latency_seconds == 2e-5);
  const MessageDemand far = model.message(0, 1, false, Operator::Replace);
  CHECK(far.send_overhead_seconds == 5e-6);
  CHECK(far.window_bytes == 1 << 20);

  machine.exchanges.clear();
  const std::vector<std::string> cautions = model.estimated_rows();
  CHECK(std::any_of(cautions.begin(), cautions.end(), [](const std::string& caution) {
    return caution.find("messages through shm") != std::string::npos;
  }));
}

}  // namespace
}  // namespace lockstep::cost
