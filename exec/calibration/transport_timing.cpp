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
  std::span<std::byte> buffer(std::uint32_t) override { return std::as_writable_bytes(memory_); }

 private:
  std::span<float> memory_;
};

/// Ranks 0 and 1 share the first processor if any share one, 2 and 3 the second.
std::size_t processor_of(Rank rank, Spread spread) {
  return static_cast<std::size_t>(spread == Spread::Apart ? rank : rank / 2);
}

Rank partner_of(Rank rank, Spread spread) {
  return spread == Spread::Crowded ? (rank + 2) % 4 : rank ^ 1;
}

/// In round k a rank receives into piece k+1 of its memory and sends the one that lies half of all
/// pieces further on; the last piece is followed by the first. So what is sent and what is received
/// into was last touched half the pieces ago, and as many bytes as all memory has were touched
/// since.
std::vector<Step> exchange_steps(Rank partner, std::uint64_t count, std::uint64_t pieces,
                                 StepIndex rounds, Operator combine) {
  std::vector<Step> steps;
  for (StepIndex round = 0; round < rounds; ++round) {
    const schedule::Slice sent{0, (round + 1 + pieces / 2) % pieces * count, count};
    const schedule::Slice received{0, (round + 1) % pieces * count, count};
    Step out{.verb = Verb::Send, .target = partner, .from = sent};
    Step in{.verb = Verb::Recv, .combine = combine, .target = partner, .into = received};
    if (round > 0) {
      out.wait_for(2 * round - 1);
      in.wait_for(2 * round - 2);
      in.wait_for(2 * round - 1);
    }
    steps.insert(steps.end(), {out, in});
  }
  return steps;
}

Schedule exchange(std::int32_t ranks, Spread spread, std::uint64_t count, std::uint64_t pieces,
                  StepIndex rounds, Operator combine) {
  std::vector<std::vector<Step>> lists;
  for (Rank rank = 0; rank < ranks; ++rank)
    lists.push_back(exchange_steps(partner_of(rank, spread), count, pieces, rounds, combine));
  Schedule result;
  result.name = "exchange";
  result.ranks = ranks;
  result.buffers = {{.name = "data", .count = count * pieces}};
  result.fragments = {{.name = "exchange",
                       .bucket = -1,
                       .steps = std::make_shared<schedule::StepList>(std::move(lists)),
                       .after = {}}};
  return result;
}

/// Of one round: this rank's.
struct Round {
  double seconds = 0;
  double sending = 0;
  double receiving = 0;  // and all else that the thread does
};

Round time_rounds(Session& session, Spread spread, std::span<float> memory, std::uint64_t count,
                  std::uint64_t pieces, Operator combine) {
  constexpr double kRunSeconds = 4e-3;
  const double guess = 6e-6 * session.ranks() + 2e-9 * static_cast<double>(count);
  const auto rounds = static_cast<StepIndex>(std::clamp(kRunSeconds / guess, 8.0, 500.0));
  const Schedule schedule = exchange(session.ranks(), spread, count, pieces, rounds, combine);
  Memory worker(memory);
  Executor executor(session, schedule, worker, {.may_poll = true});
  session.barrier();
  executor.run(1);
  session.barrier();
  const Session::Effort before = session.effort();
  executor.run(1);
  const Session::Effort after = session.effort();
  const double worked = 1e-9 * static_cast<double>(after.working_ns - before.working_ns);
  const double sent = 1e-9 * static_cast<double>(after.sending_ns - before.sending_ns);
  return {executor.figures().back().duration().seconds() / rounds, sent / rounds,
          (worked - sent) / rounds};
}

double median_of(const std::vector<Round>& rounds, double Round::*figure) {
  std::vector<double> values;
  for (const Round& round : rounds)
    values.push_back(round.*figure);
  return std::max(0.0, cost::median(std::move(values)));
}

/// What is measured of one size of memory and of message.
struct Cell {
  std::uint64_t working_set = 0;
  std::uint64_t bytes = 0;
  std::uint64_t pieces = 0;  // of a rank's memory
  std::vector<Round> stored;
  std::vector<Round> added;
};

std::vector<Cell> all_cells(std::int32_t ranks) {
  std::vector<Cell> cells;
  for (const std::uint64_t working_set : {std::uint64_t{1} << 20, std::uint64_t{8} << 20,
                                          std::uint64_t{32} << 20, kLargestWorkingSet})
    for (const std::uint64_t bytes :
         {64u, 1024u, 8192u, 32768u, 131072u, 262144u, 1048576u, 4194304u}) {
      const std::uint64_t pieces = working_set / static_cast<std::uint64_t>(ranks) / bytes;
      if (pieces >= 2) cells.push_back({working_set, bytes, pieces, {}, {}});
    }
  return cells;
}

}  // namespace

std::vector<cost::MessageSample> time_exchanges(Session& session, Spread spread) {
  bind_to_processor(processor_of(session.rank(), spread));
  const std::span<std::byte> bytes =
      session.allocate(kLargestWorkingSet / static_cast<std::uint64_t>(session.ranks()));
  const std::span<float> memory(reinterpret_cast<float*>(bytes.data()),
                                bytes.size() / sizeof(float));
  std::fill(memory.begin(), memory.end(), 0.0f);
  session.connect({{partner_of(session.rank(), spread), 0}});
  std::vector<Cell> cells = all_cells(session.ranks());
  // In turn, so that a moment in which the machine is disturbed spoils no cell's median.
  constexpr int kPasses = 3;
  for (int pass = 0; pass < kPasses; ++pass)
    for (Cell& cell : cells)
      for (const Operator combine : {Operator::Replace, Operator::Sum})
        (combine == Operator::Sum ? cell.added : cell.stored)
            .push_back(time_rounds(session, spread, memory, cell.bytes / 4, cell.pieces, combine));
  std::vector<cost::MessageSample> samples;
  for (const Cell& cell : cells)
    samples.push_back({.working_set = static_cast<double>(cell.working_set),
                       .bytes = static_cast<double>(cell.bytes),
                       .send_seconds = median_of(cell.added, &Round::sending),
                       .store_seconds = median_of(cell.stored, &Round::receiving),
                       .add_seconds = median_of(cell.added, &Round::receiving),
                       .round_seconds = median_of(cell.added, &Round::seconds)});
  return samples;
}

std::string encode(const std::vector<cost::MessageSample>& samples) {
  std::string out;
  for (const cost::MessageSample& sample : samples)
    for (const double value : {sample.working_set, sample.bytes, sample.send_seconds,
                               sample.store_seconds, sample.add_seconds, sample.round_seconds})
      put(out, value);
  return out;
}

std::vector<cost::MessageSample> decode_message_samples(std::string_view text) {
  std::vector<cost::MessageSample> samples;
  while (!text.empty()) {
    cost::MessageSample& sample = samples.emplace_back();
    for (double* value : {&sample.working_set, &sample.bytes, &sample.send_seconds,
                          &sample.store_seconds, &sample.add_seconds, &sample.round_seconds})
      *value = take_double(text);
  }
  return samples;
}

}  // namespace lockstep::exec
