// SPDX-License-Identifier: Apache-2.0
// Ranks of one host that do nothing but communicate: their messages are priced as measured between
// polling ranks.
#include "tests/sim/scenario.h"

namespace lockstep::sim {
namespace {

/// Sending 1 µs + 1 ns/B, storing 2 µs + 2 ns/B, adding 3 µs + 3 ns/B; 2 µs of latency; taking
/// turns on a processor costs 5 µs.
cost::Machine polling_machine(double cores, IntraHost how = IntraHost::Tcp) {
  cost::Machine machine;
  machine.cores = cores;
  machine.message.window_bytes = 1 << 20;
  cost::ExchangeCosts costs;
  for (const double bytes : {0.0, 1e6}) {
    const double add = 3e-6 + 3e-9 * bytes;
    const double send = 1e-6 + 1e-9 * bytes;
    cost::MessageSample sample{.working_set = 1,
                               .bytes = bytes,
                               .send_seconds = send,
                               .store_seconds = 2e-6 + 2e-9 * bytes,
                               .add_seconds = add,
                               .round_seconds = send + add + 2e-6};
    costs.apart.push_back(sample);
    costs.crowded.push_back(sample);
    sample.round_seconds = 2 * (send + add) + 2 * 5e-6;
    costs.together.push_back(sample);
  }
  machine.exchanges[how] = costs;
  return machine;
}

cost::CostModel polling(const cost::Machine& machine, std::int32_t ranks,
                        IntraHost how = IntraHost::Tcp) {
  const auto count = static_cast<std::size_t>(ranks);
  return {std::vector<const cost::Machine*>(count, &machine),
          std::vector<double>(count, 1),
          {.how = how, .working_set_bytes = 1}};
}

TEST_CASE("polled: a message takes sending, latency, receiving", "[sim][polled]") {
  const cost::Machine machine = polling_machine(2);
  const Schedule schedule = listed({{send(1, 250)}, {receive(0, 250)}});  // 1000 B
  const SimulatedRun done = run(schedule, polling(machine, 2), one_host(), Fidelity::Flow);
  CHECK(end_of(done, 0, 0) == 2 * kMicrosecond);
  CHECK(end_of(done, 1, 0) == (2 + 2 + 4) * kMicrosecond);
  REQUIRE(done.processor_seconds.size() == 2);
  CHECK(done.processor_seconds[0] == Approx(2e-6));
  CHECK(done.processor_seconds[1] == Approx(4e-6));
}

TEST_CASE("polled: adding takes longer", "[sim][polled]") {
  const cost::Machine machine = polling_machine(2);
  const Schedule schedule = listed({{send(1, 250)}, {receive(0, 250, Operator::Sum)}});
  const SimulatedRun done = run(schedule, polling(machine, 2), one_host(), Fidelity::Flow);
  CHECK(end_of(done, 1, 0) == (2 + 2 + 6) * kMicrosecond);
}

TEST_CASE("polled: a receiver of its own copies while the sender still goes on", "[sim][polled]") {
  const cost::Machine machine = polling_machine(2);
  constexpr std::uint64_t kFloats = 160 << 10;  // 640 KiB: ten times what is noticed first
  const Schedule schedule = listed({{send(1, kFloats)}, {receive(0, kFloats)}});
  const SimulatedRun done = run(schedule, polling(machine, 2), one_host(), Fidelity::Flow);
  const double bytes = 4.0 * kFloats;
  const double sending = 1e-6 + 1e-9 * bytes;
  const double storing = 2e-6 + 2e-9 * bytes;
  CHECK(1e-12 * static_cast<double>(end_of(done, 1, 0)) == Approx(0.1 * sending + 2e-6 + storing));
}

TEST_CASE("polled: on one processor one thing happens after the other, and it changes hands",
          "[sim][polled]") {
  const cost::Machine machine = polling_machine(1);
  const Schedule schedule = listed({{send(1, 250)}, {receive(0, 250)}});
  const SimulatedRun done = run(schedule, polling(machine, 2), one_host(), Fidelity::Flow);
  // Sent at 2 µs; half of the two ranks' turns of 5 µs and the latency later it is seen.
  CHECK(end_of(done, 1, 0) == (2 + 5 + 2 + 4) * kMicrosecond);
  REQUIRE(done.processor_seconds.size() == 1);
  CHECK(done.processor_seconds[0] == Approx(6e-6));
}

TEST_CASE("polled: through shared memory a message is sent when it is received", "[sim][polled]") {
  const cost::Machine machine = polling_machine(2, IntraHost::SharedMemory);
  const Schedule schedule = listed({{send(1, 250)}, {receive(0, 250)}});
  const SimulatedRun done =
      run(schedule, polling(machine, 2, IntraHost::SharedMemory), one_host(), Fidelity::Flow);
  CHECK(end_of(done, 1, 0) == (2 + 2 + 4) * kMicrosecond);
  CHECK(end_of(done, 0, 0) == (2 + 2 + 4 + 2) * kMicrosecond);  // told after the latency
}

TEST_CASE("polled: between hosts the network decides as ever", "[sim][polled]") {
  cost::Machine machine = polling_machine(2);
  machine.message.latency_seconds = 1e-3;
  const Schedule schedule = listed({{send(1, 250)}, {receive(0, 250)}});
  const SimulatedRun far = run(schedule, polling(machine, 2), star(2), Fidelity::Flow);
  CHECK(end_of(far, 1, 0) > kMillisecond);
}

}  // namespace
}  // namespace lockstep::sim
