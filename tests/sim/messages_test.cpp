// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tests/sim/scenario.h"

namespace lockstep::sim {

TEST_CASE("messages: a large message waits for its Recv, and its Send for the bytes to flow",
          "[messages]") {
  // 1e6 floats = 4e6 B at 1 GB/s: 4 ms; two links of 10 us; the Recv is posted at 5 ms.
  cost::Machine machine = free_machine();
  set_compute(machine);
  const Schedule schedule =
      listed({{send(1, 1'000'000)}, {compute(0), after(receive(0, 1'000'000), {0})}});
  for (const Fidelity fidelity : kBoth) {
    const SimulatedRun result = run(schedule, cost_model(machine, 2, {5}), star(2), fidelity);
    const std::int64_t latency = fidelity == Fidelity::Ideal ? 20 * kMicrosecond : 0;
    CHECK(end_of(result, 0, 0) == 9 * kMillisecond + latency);
    CHECK(end_of(result, 1, 1) == 9 * kMillisecond + 20 * kMicrosecond);
  }
}

TEST_CASE("messages: a small message leaves at once and is picked up later", "[messages]") {
  // 250 floats = 1000 B. The Send is complete once copied: 1000 · 2 ns = 2 us. The Recv is posted
  // at 5 ms, long after arrival. Ideal: complete at once. Flow: the receiver reads it now, 1000 B ·
  // 3 ns = 3 us, after an overhead of 1 us.
  cost::Machine machine = free_machine();
  set_compute(machine);
  machine.message = {.send_core_seconds_per_byte = 2e-9,
                     .receive_core_seconds_per_byte = 3e-9,
                     .window_bytes = 1000};
  const Schedule schedule = listed({{send(1, 250)}, {compute(0), after(receive(0, 250), {0})}});
  const SimulatedRun ideal = run(schedule, cost_model(machine, 2, {5}), star(2), Fidelity::Ideal);
  CHECK(end_of(ideal, 0, 0) == 2 * kMicrosecond);
  CHECK(end_of(ideal, 1, 1) == 5 * kMillisecond);
  machine.message.receive_overhead_seconds = 1e-6;
  const SimulatedRun flow = run(schedule, cost_model(machine, 2, {5}), star(2), Fidelity::Flow);
  CHECK(end_of(flow, 0, 0) == 2 * kMicrosecond);
  CHECK(end_of(flow, 1, 1) == 5 * kMillisecond + 4 * kMicrosecond);
}

TEST_CASE("messages: a Recv that is posted while its message flows works on what is there",
          "[messages]") {
  // 1e6 B in 1 ms at 1 GB/s, from 0; 20 us of links. The receiver needs 0.8 ns a byte, 0.8 ms.
  // Posted at 0: as fast as the wire. Posted at 0.1 ms: done at 0.9 ms, so the wire decides still.
  // Posted at 0.7 ms: done at 1.5 ms. Posted at 3 ms: done at 3.8 ms.
  cost::Machine machine = free_machine();
  set_compute(machine);
  machine.cores = 2;
  machine.layers[0].seconds.per_unit = 1e-4;
  machine.message = {.receive_core_seconds_per_byte = 0.8e-9, .window_bytes = 1'000'000};
  const auto end = [&](int tenths) {
    const Schedule schedule =
        listed({{send(1, 250'000)}, {compute(0), after(receive(0, 250'000), {0})}});
    return end_of(run(schedule, cost_model(machine, 2, {tenths}), star(2), Fidelity::Flow), 1, 1) /
           kMicrosecond;
  };
  CHECK(end(0) == 1020);
  CHECK(end(1) == 1020);
  CHECK(end(7) == 1500);
  CHECK(end(30) == 3800);
}

TEST_CASE("messages: a message runs at the slowest of wire, sender and receiver", "[messages]") {
  // 1e6 B. Wire 1 ns a byte, sender 2 ns, receiver 1 ns and 3 ns more to add: 2 ms to store, 4 ms
  // to add; 20 us of links.
  cost::Machine machine = free_machine();
  machine.message = {.send_core_seconds_per_byte = 2e-9, .receive_core_seconds_per_byte = 1e-9};
  machine.combine_seconds_per_byte = 3e-9;
  for (const Fidelity fidelity : kBoth)
    for (const std::uint64_t window : {0, 1'000'000}) {
      machine.message.window_bytes = window;
      const auto time = [&](Operator combine) {
        const Schedule schedule = listed({{send(1, 250'000)}, {receive(0, 250'000, combine)}});
        return end_of(run(schedule, cost_model(machine, 2), star(2), fidelity), 1, 0);
      };
      CHECK(time(Operator::Replace) == 2 * kMillisecond + 20 * kMicrosecond);
      CHECK(time(Operator::Sum) == 4 * kMillisecond + 20 * kMicrosecond);
    }
}

TEST_CASE("messages: fixed overheads take turns on the communication lane", "[messages]") {
  // Rank 0 sends to 1 and 2, 10 us each; both send back at once, which takes 10 us to receive.
  // No bytes; 20 us of links each way. Out: 30 us and 40 us. Back, 10 us to send: rank 1's arrives
  // at 60 us and is taken in until 70 us; rank 2's arrives at 70 us: 80 us. Ideal: 30 us, 60 + 10
  // us.
  cost::Machine machine = free_machine();
  machine.message = {.send_overhead_seconds = 10e-6, .receive_overhead_seconds = 10e-6};
  const Schedule schedule = listed({{send(1, 0), send(2, 0), receive(1, 0), receive(2, 0)},
                                    {receive(0, 0), after(send(0, 0), {0})},
                                    {receive(0, 0), after(send(0, 0), {0})}});
  // Receiving takes the others 10 us as well: 40 and 50 us; sent 50 and 60; here at 70 and 80.
  const SimulatedRun flow = run(schedule, cost_model(machine, 3), star(3), Fidelity::Flow);
  CHECK(end_of(flow, 1, 0) == 40 * kMicrosecond);
  CHECK(end_of(flow, 2, 0) == 50 * kMicrosecond);
  CHECK(end_of(flow, 0, 2) == 80 * kMicrosecond);
  CHECK(end_of(flow, 0, 3) == 90 * kMicrosecond);
  const SimulatedRun ideal = run(schedule, cost_model(machine, 3), star(3), Fidelity::Ideal);
  CHECK(end_of(ideal, 0, 2) == 80 * kMicrosecond);
  CHECK(end_of(ideal, 0, 3) == 80 * kMicrosecond);
}

TEST_CASE("messages: messages that arrive together are taken in one after the other",
          "[messages]") {
  // Two empty messages at 20 us, 10 us each to receive.
  cost::Machine machine = free_machine();
  machine.message = {.receive_overhead_seconds = 10e-6};
  const Schedule schedule = listed({{receive(1, 0), receive(2, 0)}, {send(0, 0)}, {send(0, 0)}});
  const SimulatedRun flow = run(schedule, cost_model(machine, 3), star(3), Fidelity::Flow);
  CHECK(end_of(flow, 0, 0) == 30 * kMicrosecond);
  CHECK(end_of(flow, 0, 1) == 40 * kMicrosecond);
}

TEST_CASE("messages: those of one connection flow one after the other", "[messages]") {
  // 1e6 B take 1 ms, the links 20 us. Rank 1 passes the first half on while the second one comes.
  const Schedule schedule = listed({{send(1, 250'000), send(1, 250'000)},
                                    {receive(0, 250'000), receive(0, 250'000),
                                     after(send(2, 250'000), {0}), after(send(2, 250'000), {1})},
                                    {receive(1, 250'000), receive(1, 250'000)}});
  for (const std::uint64_t window : {std::uint64_t{0}, std::uint64_t{1} << 40}) {
    cost::Machine machine = free_machine();
    machine.message.window_bytes = window;
    const SimulatedRun flow = run(schedule, cost_model(machine, 3), star(3), Fidelity::Flow);
    CHECK(end_of(flow, 1, 0) == kMillisecond + 20 * kMicrosecond);
    CHECK(end_of(flow, 1, 1) == 2 * kMillisecond + 20 * kMicrosecond);
    CHECK(end_of(flow, 2, 0) == 2 * kMillisecond + 40 * kMicrosecond);
    CHECK(end_of(flow, 2, 1) == 3 * kMillisecond + 40 * kMicrosecond);
  }
  // On another stream they share the links.
  const Schedule streams =
      listed({{send(1, 250'000), send(1, 250'000, 1)},
              {receive(0, 250'000), receive(0, 250'000, Operator::Replace, 1)}});
  const SimulatedRun flow = run(streams, cost_model(free_machine(), 2), star(2), Fidelity::Flow);
  CHECK(end_of(flow, 1, 0) == 2 * kMillisecond + 20 * kMicrosecond);
  CHECK(end_of(flow, 1, 1) == 2 * kMillisecond + 20 * kMicrosecond);
}

TEST_CASE("messages: a Combine holds the communication lane", "[messages]") {
  // 1e6 B · 1 ns = 1 ms; the Send, ready from the start, begins after it; 20 us of links.
  cost::Machine machine = free_machine();
  machine.combine_seconds_per_byte = 1e-9;
  const Schedule schedule = listed({{combine(250'000), send(1, 0)}, {receive(0, 0)}});
  for (const Fidelity fidelity : kBoth) {
    const SimulatedRun result = run(schedule, cost_model(machine, 2), star(2), fidelity);
    CHECK(end_of(result, 0, 0) == kMillisecond);
    CHECK(end_of(result, 1, 0) == kMillisecond + 20 * kMicrosecond);
  }
}

}  // namespace lockstep::sim
