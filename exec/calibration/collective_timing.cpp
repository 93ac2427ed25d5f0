// SPDX-License-Identifier: Apache-2.0
#include "exec/calibration/collective_timing.h"

#include <algorithm>
#include <vector>

namespace lockstep::exec {

namespace {

/// Buffers begin at cache lines.
std::uint64_t aligned(std::uint64_t count) {
  constexpr std::uint64_t kLine = 64 / sizeof(float);
  return (count + kLine - 1) / kLine * kLine;
}

/// Sums over all ranks are exact.
float contribution(Rank rank, std::uint64_t element) {
  return static_cast<float>((element * 7 + static_cast<std::uint64_t>(rank) * 13) % 101);
}

float sum_of_contributions(std::int32_t ranks, std::uint64_t element) {
  float sum = 0;
  for (Rank rank = 0; rank < ranks; ++rank)
    sum += contribution(rank, element);
  return sum;
}

}  // namespace

std::uint64_t floats_for(const schedule::Schedule& schedule) {
  std::uint64_t floats = 0;
  for (const schedule::Buffer& buffer : schedule.buffers)
    floats += aligned(buffer.count);
  return floats;
}

CollectiveTimer::Arrays::Arrays(const schedule::Schedule& schedule, std::span<float> memory) {
  for (const schedule::Buffer& buffer : schedule.buffers) {
    arrays_.push_back(memory.first(buffer.count));
    memory = memory.subspan(aligned(buffer.count));
  }
}

CollectiveTimer::CollectiveTimer(Session& session, const schedule::Schedule& schedule,
                                 std::span<float> memory)
    : session_(session),
      arrays_(schedule, memory),
      executor_(session, schedule, arrays_, {.may_poll = true}) {
  session.connect(peers_of(schedule, session.rank()));
}

std::uint64_t CollectiveTimer::count_errors() {
  const std::span<float> data = arrays_.first();
  for (std::uint64_t i = 0; i < data.size(); ++i)
    data[i] = contribution(session_.rank(), i);
  session_.barrier();
  executor_.run(1);
  std::uint64_t errors = 0;
  for (std::uint64_t i = 0; i < data.size(); ++i)
    errors += data[i] == sum_of_contributions(session_.ranks(), i) ? 0 : 1;
  std::fill(data.begin(), data.end(), 0.0f);  // sums of sums would end in infinity
  return errors;
}

double CollectiveTimer::seconds(std::int32_t back_to_back) {
  session_.barrier();
  const std::size_t first = executor_.figures().size();
  executor_.run(back_to_back);
  const auto& figures = executor_.figures();
  return (figures.back().end - figures[first].start).seconds() / back_to_back;
}

}  // namespace lockstep::exec
