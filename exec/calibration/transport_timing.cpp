// SPDX-License-Identifier: Apache-2.0
#include "exec/calibration/transport_timing.h"

#include <algorithm>
#include <memory>
#include <span>

#include "exec/launch/binding.h"
#include "exec/runner/executor.h"
#include "exec/transport/wire.h"
#include "models/cost/fit.h"
#include "models/schedule/schedule.h"

namespace lockstep::exec {

namespace {

using schedule::Operator;
using schedule::Schedule;
using schedule::Step;
using schedule::StepIndex;
using schedule::Verb;

class Memory final : public Worker {
 public:
  explicit Memory(std::span<float> memory) : memory_(memory) {}
  void compute(std::int32_t, std::int32_t) override {}
  std::span<float> buffer(std::uint32_t) override { return memory_; }

 private:
  std::span<float> memory_;
};

/// In round k a rank sends piece k of its memory, which round k−1 has received into, and receives
/// into piece k+1; the last piece is followed by the first.
Schedule exchange(std::uint64_t count, std::uint64_t pieces, StepIndex rounds, Operator combine) {
  std::vector<std::vector<Step>> lists(2);
  for (Rank rank = 0; rank < 2; ++rank)
    for (StepIndex round = 0; round < rounds; ++round) {
      const schedule::Slice sent{0, round % pieces * count, count};
      const schedule::Slice received{0, (round + 1) % pieces * count, count};
      Step out{.verb = Verb::Send, .target = 1 - rank, .from = sent};
      Step in{.verb = Verb::Recv, .combine = combine, .target = 1 - rank, .into = received};
      if (round > 0) out.wait_for(2 * round - 1);
      if (round > 0) in.wait_for(2 * round - 2);
      if (round > 0) in.wait_for(2 * round - 1);
      lists[static_cast<std::size_t>(rank)].insert(lists[static_cast<std::size_t>(rank)].end(),
                                                   {out, in});
    }
  Schedule result;
  result.name = "exchange";
  result.ranks = 2;
  result.buffers = {{.name = "data", .count = count * pieces}};
  result.fragments = {{.name = "exchange",
                       .bucket = -1,
                       .steps = std::make_shared<schedule::StepList>(std::move(lists)),
                       .after = {}}};
  return result;
}

/// Of one round, on average over both ranks.
struct Round {
  double seconds = 0;
  double sending = 0;
  double receiving = 0;  // and all else that the thread does
};

/// The median of several runs.
Round time_rounds(Session& session, std::span<float> memory, std::uint64_t count,
                  std::uint64_t pieces, Operator combine) {
  constexpr double kRunSeconds = 8e-3;
  constexpr int kRuns = 5;
  const double guess = 12e-6 + 2e-9 * static_cast<double>(count);
  const auto rounds = static_cast<StepIndex>(std::clamp(kRunSeconds / guess, 8.0, 2000.0));
  const Schedule schedule = exchange(count, pieces, rounds, combine);
  Memory worker(memory);
  Executor executor(session, schedule, worker, {.may_poll = true});
  session.barrier();
  executor.run(1);
  std::vector<double> seconds, sending, receiving;
  for (int run = 0; run < kRuns; ++run) {
    session.barrier();
    const Session::Effort before = session.effort();
    executor.run(1);
    const Session::Effort after = session.effort();
    seconds.push_back(executor.figures().back().duration().seconds() / rounds);
    const double sent = 1e-9 * static_cast<double>(after.sending_ns - before.sending_ns) / rounds;
    sending.push_back(sent);
    const double worked = 1e-9 * static_cast<double>(after.working_ns - before.working_ns) / rounds;
    receiving.push_back(std::max(0.0, worked - sent));
  }
  return {cost::median(seconds), cost::median(sending), cost::median(receiving)};
}

}  // namespace

std::vector<cost::MessageSample> time_exchanges(Session& session, bool together) {
  bind_to_processor(together ? 0 : static_cast<std::size_t>(session.rank()));
  const std::span<std::byte> bytes = session.allocate(kLargestWorkingSet / 2);
  const std::span<float> memory(reinterpret_cast<float*>(bytes.data()),
                                bytes.size() / sizeof(float));
  std::fill(memory.begin(), memory.end(), 0.0f);
  session.connect({{1 - session.rank(), 0}});
  std::vector<cost::MessageSample> samples;
  for (const std::uint64_t working_set : {std::uint64_t{1} << 20, std::uint64_t{16} << 20,
                                          std::uint64_t{48} << 20, kLargestWorkingSet})
    for (const std::uint64_t size :
         {64u, 1024u, 8192u, 32768u, 131072u, 262144u, 1048576u, 4194304u}) {
      const std::uint64_t pieces = working_set / 2 / size;
      if (pieces < 2) continue;
      const Round stored = time_rounds(session, memory, size / 4, pieces, Operator::Replace);
      const Round added = time_rounds(session, memory, size / 4, pieces, Operator::Sum);
      samples.push_back({.working_set = static_cast<double>(working_set),
                         .bytes = static_cast<double>(size),
                         .send_seconds = added.sending,
                         .store_seconds = stored.receiving,
                         .add_seconds = added.receiving,
                         .round_seconds = added.seconds});
    }
  return samples;
}

std::string encode(const std::vector<cost::MessageSample>& samples) {
  std::string out;
  put(out, static_cast<std::uint32_t>(samples.size()));
  for (const cost::MessageSample& sample : samples)
    for (const double value : {sample.working_set, sample.bytes, sample.send_seconds,
                               sample.store_seconds, sample.add_seconds, sample.round_seconds})
      put(out, value);
  return out;
}

std::vector<cost::MessageSample> decode_message_samples(std::string_view text) {
  std::vector<cost::MessageSample> samples(take<std::uint32_t>(text));
  for (cost::MessageSample& sample : samples)
    for (double* value : {&sample.working_set, &sample.bytes, &sample.send_seconds,
                          &sample.store_seconds, &sample.add_seconds, &sample.round_seconds})
      *value = take_double(text);
  take_end(text);
  return samples;
}

}  // namespace lockstep::exec
