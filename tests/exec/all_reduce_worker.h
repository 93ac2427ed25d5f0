// SPDX-License-Identifier: Apache-2.0
// A worker without a network: buffers of plain numbers, and a schedule that adds them up.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "exec/runner/executor.h"
#include "models/collectives/algorithm.h"

namespace lockstep::exec {

/// Small whole numbers, different on every rank: sums are exact in any order.
inline float contribution(Rank rank, std::uint64_t element) {
  return static_cast<float>((element * 7 + static_cast<std::uint64_t>(rank) * 13) % 101);
}

/// Buffer 0 holds the rank's contributions, the others are scratch.
class PlainWorker final : public Worker {
 public:
  PlainWorker(const schedule::Schedule& schedule, Rank rank) : rank_(rank) {
    for (const schedule::Buffer& buffer : schedule.buffers)
      buffers_.emplace_back(buffer.count);
    fill();
  }
  void fill() {
    for (std::uint64_t i = 0; i < buffers_[0].size(); ++i)
      buffers_[0][i] = contribution(rank_, i);
  }
  void compute(std::int32_t work, std::int32_t iteration) override {
    if (on_compute) on_compute(work, iteration);
  }
  std::span<std::byte> buffer(std::uint32_t buffer) override {
    return std::as_writable_bytes(std::span(buffers_[buffer]));
  }

  const std::vector<float>& data() const { return buffers_.front(); }

  std::function<void(std::int32_t work, std::int32_t iteration)> on_compute;

 private:
  Rank rank_;
  std::vector<std::vector<float>> buffers_;
};

/// One list of steps, the same for all ranks.
inline std::shared_ptr<const schedule::StepSource> same_steps(std::vector<schedule::Step> steps) {
  std::vector<std::vector<schedule::Step>> lists;
  lists.push_back(std::move(steps));
  return std::make_shared<schedule::StepList>(std::move(lists));
}

/// Work 0, then the all-reduce of bucket 0, then work 1.
inline schedule::Schedule training_like_schedule(collectives::Algorithm algorithm,
                                                 std::int32_t ranks, std::uint64_t count,
                                                 std::uint64_t segment) {
  schedule::Schedule plan = collectives::all_reduce_schedule(algorithm, ranks, count, segment);
  schedule::Step work;
  work.verb = schedule::Verb::Compute;
  work.lane = schedule::Lane::Compute;
  work.target = 0;
  work.into = {0, 0, count};
  schedule::Fragment before{"before", -1, nullptr, {}};
  before.steps = same_steps({work});
  work.target = 1;
  schedule::Fragment after{"after", -1, nullptr, {{1, schedule::After::kWhole}}};
  after.steps = same_steps({work});
  plan.fragments.insert(plan.fragments.begin(), before);
  plan.fragments[1].bucket = 0;
  plan.fragments[1].after = {{0, schedule::After::kWhole}};
  plan.fragments.push_back(after);
  return plan;
}

}  // namespace lockstep::exec
