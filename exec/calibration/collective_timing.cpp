// SPDX-License-Identifier: Apache-2.0
#include "exec/calibration/collective_timing.h"

#include <algorithm>
#include <span>

#include "exec/runner/executor.h"

namespace lockstep::exec {

namespace {

/// Small whole numbers, other ones on every rank, whose sums over all ranks are exact.
float contribution(Rank rank, std::uint64_t element) {
  return static_cast<float>((element * 7 + static_cast<std::uint64_t>(rank) * 13) % 101);
}

float sum_of_contributions(std::int32_t ranks, std::uint64_t element) {
  float sum = 0;
  for (Rank rank = 0; rank < ranks; ++rank)
    sum += contribution(rank, element);
  return sum;
}

/// The buffers of a schedule, one after the other in a piece of memory.
class Arrays final : public Worker {
 public:
  Arrays(const schedule::Schedule& schedule, std::span<float> memory) {
    for (const schedule::Buffer& buffer : schedule.buffers) {
      arrays_.push_back(memory.first(buffer.count));
      memory = memory.subspan(aligned(buffer.count));
    }
  }
  void compute(std::int32_t, std::int32_t) override {}
  std::span<float> buffer(std::uint32_t number) override { return arrays_[number]; }

  static std::uint64_t floats_for(const schedule::Schedule& schedule) {
    std::uint64_t floats = 0;
    for (const schedule::Buffer& buffer : schedule.buffers)
      floats += aligned(buffer.count);
    return floats;
  }

 private:
  /// Buffers begin at cache lines.
  static std::uint64_t aligned(std::uint64_t count) { return (count + 15) / 16 * 16; }

  std::vector<std::span<float>> arrays_;
};

}  // namespace

std::uint64_t floats_for(const schedule::Schedule& schedule) {
  return Arrays::floats_for(schedule);
}

CollectiveTiming time_all_reduce(Session& session, const schedule::Schedule& schedule,
                                 std::span<float> memory, std::int32_t repetitions,
                                 std::int32_t back_to_back) {
  Arrays arrays(schedule, memory);
  session.connect(peers_of(schedule, session.rank()));
  Executor executor(session, schedule, arrays, {.may_poll = true});
  const std::span<float> data = arrays.buffer(0);
  for (std::uint64_t i = 0; i < data.size(); ++i)
    data[i] = contribution(session.rank(), i);
  session.barrier();
  executor.run(1);
  CollectiveTiming timing;
  for (std::uint64_t i = 0; i < data.size(); ++i)
    timing.errors += data[i] == sum_of_contributions(session.ranks(), i) ? 0 : 1;

  std::fill(data.begin(), data.end(), 0.0f);  // sums of sums would end in infinity
  session.barrier();
  executor.run(std::min(back_to_back, 20));
  for (std::int32_t i = 0; i < repetitions; ++i) {
    session.barrier();
    const std::size_t first = executor.figures().size();
    executor.run(back_to_back);
    const auto& figures = executor.figures();
    timing.seconds.push_back((figures.back().end - figures[first].start).seconds() / back_to_back);
  }
  return timing;
}

}  // namespace lockstep::exec
