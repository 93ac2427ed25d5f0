// SPDX-License-Identifier: Apache-2.0
#include "models/msccl/steps.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "models/base/errors.h"
#include "models/msccl/gpu_order.h"
#include "models/msccl/layout.h"
#include "models/msccl/numbering.h"
#include "models/schedule/accesses.h"

namespace lockstep::msccl {

using schedule::Accesses;
using schedule::Operator;
using schedule::Slice;
using schedule::StepIndex;
using schedule::Verb;

namespace {

/// All steps, each after those it waits for, and early what nothing holds up: a lane prefers what
/// stands first. Steps that wait for themselves, round a circle of messages, come last.
std::vector<StepNumber> time_order(const Numbering& numbering,
                                   const std::vector<std::int32_t>& level) {
  const std::vector<std::int32_t> on_gpu = levels(numbering, Waits::OnGpu);
  std::vector<StepNumber> order(numbering.size());
  for (StepNumber n = 0; n < numbering.size(); ++n)
    order[n] = n;
  std::stable_sort(order.begin(), order.end(), [&](StepNumber a, StepNumber b) {
    const auto key = [&](StepNumber n) {
      return level[n] < 0 ? std::pair(INT32_MAX, on_gpu[n]) : std::pair(level[n], 0);
    };
    return key(a) < key(b);
  });
  return order;
}

/// Two lists of slices, chunk by chunk of one size: neighbours that lie side by side in both become
/// one, and empty ones vanish.
std::vector<std::pair<Slice, Slice>> runs(const Slices& a, const Slices& b) {
  std::vector<std::pair<Slice, Slice>> runs;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].count == 0) continue;
    if (!runs.empty() && runs.back().first.end() == a[i].first &&
        runs.back().second.end() == b[i].first) {
      runs.back().first.count += a[i].count;
      runs.back().second.count += a[i].count;
    } else {
      runs.emplace_back(a[i], b[i]);
    }
  }
  return runs;
}

/// Makes the steps of one GPU.
class Translation {
 public:
  Translation(const Numbering& numbering, const Layout& layout,
              const std::vector<std::int32_t>& level, Rank gpu, std::span<const StepNumber> order,
              const std::vector<schedule::Buffer>& buffers)
      : numbering_(numbering),
        layout_(layout),
        level_(level),
        order_(numbering, gpu, order),
        accesses_(buffers),
        last_(numbering.end_of(gpu) - numbering.first_of(gpu), kNone),
        first_(numbering.first_of(gpu)) {
    for (const auto& [from, into] : layout.copies(gpu))
      add(kNoStep, {.verb = Verb::Combine, .from = from, .into = into});
    for (const StepNumber n : order)
      translate(n);
  }

  std::vector<schedule::Step> take() { return std::move(steps_); }

 private:
  static constexpr StepIndex kNone = UINT32_MAX;

  void translate(StepNumber n) {
    const Step& step = numbering_.step(n);
    switch (step.type) {
      case Type::Nop:
        // What it waits for is known by the next; only round a circle has it to be seen.
        if (level_[n] < 0) add(n, {.verb = Verb::Combine});
        return;
      case Type::Copy:
        return combine(n, layout_.from(n), layout_.into(n), Operator::Replace);
      case Type::Reduce:
        return combine(n, layout_.from(n), layout_.into(n), Operator::Sum);
      case Type::Send:
        return send(n, layout_.from(n));
      case Type::Recv:
        return receive(n, Operator::Replace);
      case Type::RecvCopySend:
        receive(n, Operator::Replace);
        return send(n, layout_.into(n));
      case Type::RecvReduceCopy:
        return receive_and_add(n);
      case Type::RecvReduceSend:
      case Type::RecvReduceCopySend:
        receive_and_add(n);
        return send(n, layout_.into(n));
    }
  }

  void receive_and_add(StepNumber n) {
    const Slices from = layout_.from(n);
    if (from != layout_.into(n)) combine(n, from, layout_.into(n), Operator::Replace);
    receive(n, Operator::Sum);
  }

  void combine(StepNumber n, const Slices& from, const Slices& into, Operator combine) {
    for (const auto& [source, target] : runs(from, into))
      add(n, {.verb = Verb::Combine, .combine = combine, .from = source, .into = target});
  }

  void send(StepNumber n, const Slices& from) {
    const ThreadBlock& block = numbering_.block(n);
    for (const auto& [source, target] : runs(from, layout_.into(numbering_.receiver(n))))
      add(n, {.verb = Verb::Send,
              .stream = static_cast<std::uint8_t>(block.channel),
              .target = block.send,
              .from = source});
  }

  void receive(StepNumber n, Operator combine) {
    const ThreadBlock& block = numbering_.block(n);
    const StepNumber sender = numbering_.sender(n);
    const Slices from =
        numbering_.step(sender).type == Type::Send ? layout_.from(sender) : layout_.into(sender);
    for (const auto& [source, target] : runs(from, layout_.into(n)))
      add(n, {.verb = Verb::Recv,
              .combine = combine,
              .stream = static_cast<std::uint8_t>(block.channel),
              .target = block.recv,
              .into = target});
  }

  /// Appends a step that comes of `n` (kNoStep: of none, before all), and what it must wait for.
  void add(StepNumber n, schedule::Step step) {
    std::vector<StepIndex> before;
    const auto number = static_cast<std::uint32_t>(origin_.size());
    accesses_.add(number, step,
                  [&](std::uint32_t earlier, std::uint32_t, std::uint64_t, std::uint64_t) {
                    if (is_before(origin_[earlier].step, n))
                      before.push_back(origin_[earlier].index);
                  });
    if (n != kNoStep && level_[n] < 0)
      for (const StepNumber other : std::array{numbering_.previous(n), numbering_.awaited(n)})
        if (other != kNoStep && last_[other - first_] != kNone)
          before.push_back(last_[other - first_]);
    wait(before);
    for (const StepIndex index : before)
      step.wait_for(index);
    origin_.push_back({n, static_cast<StepIndex>(steps_.size())});
    if (n != kNoStep) last_[n - first_] = origin_.back().index;
    steps_.push_back(step);
  }

  bool is_before(StepNumber a, StepNumber b) const {
    return a == kNoStep || a == b || order_.is_before(a, b);
  }

  /// Reduces what a step waits for to as many as there is room for.
  void wait(std::vector<StepIndex>& before) {
    std::sort(before.begin(), before.end(), std::greater<>());
    before.erase(std::unique(before.begin(), before.end()), before.end());
    drop_earlier_on_channel(before);
    constexpr std::size_t kRoom = std::tuple_size_v<decltype(schedule::Step::after)>;
    if (before.size() > kRoom) drop_implied(before);
    while (before.size() > kRoom) {
      // The oldest three, which other steps are most likely to wait for as well.
      const std::array oldest{before.end()[-3], before.end()[-2], before.end()[-1]};
      before.resize(before.size() - 3);
      before.push_back(gather(oldest));
      std::sort(before.begin(), before.end(), std::greater<>());
    }
  }

  /// Sends to one rank on one stream complete in their order, and so do receives.
  void drop_earlier_on_channel(std::vector<StepIndex>& before) const {
    std::vector<std::tuple<Verb, Rank, std::uint8_t>> seen;
    std::erase_if(before, [&](StepIndex index) {
      const schedule::Step& step = steps_[index];
      if (step.verb == Verb::Combine) return false;
      const std::tuple channel{step.verb, step.target, step.stream};
      if (std::find(seen.begin(), seen.end(), channel) != seen.end()) return true;
      seen.push_back(channel);
      return false;
    });
  }

  /// Drops what others of the list wait for themselves. Latest first.
  void drop_implied(std::vector<StepIndex>& before) const {
    std::vector<bool> implied(before.front() + std::size_t{1}, false);
    for (const StepIndex kept : before)
      for (std::uint32_t d = 0; d < steps_[kept].after_count; ++d)
        implied[steps_[kept].after[d]] = true;
    for (StepIndex index = before.front(); index > before.back(); --index)
      if (implied[index])
        for (std::uint32_t d = 0; d < steps_[index].after_count; ++d)
          implied[steps_[index].after[d]] = true;
    std::erase_if(before, [&](StepIndex index) { return implied[index]; });
  }

  /// A step that is complete when these three are; the same for the same three.
  StepIndex gather(const std::array<StepIndex, 3>& three) {
    const auto [known, is_new] =
        gathered_.try_emplace(three, static_cast<StepIndex>(steps_.size()));
    if (is_new) {
      schedule::Step& step = steps_.emplace_back(schedule::Step{.verb = Verb::Combine});
      for (const StepIndex index : three)
        step.wait_for(index);
    }
    return known->second;
  }

  struct Origin {
    StepNumber step;  // of the program
    StepIndex index;  // in steps_
  };

  const Numbering& numbering_;
  const Layout& layout_;
  const std::vector<std::int32_t>& level_;
  GpuOrder order_;
  Accesses accesses_;
  std::vector<schedule::Step> steps_;
  std::vector<Origin> origin_;   // of the steps that come of the program's
  std::vector<StepIndex> last_;  // by step of the GPU, the last that came of it
  StepNumber first_;             // of the GPU
  std::map<std::array<StepIndex, 3>, StepIndex> gathered_;
};

std::vector<schedule::Buffer> buffers_of(std::uint64_t data, std::uint64_t scratch) {
  return {{.name = "data", .count = data}, {.name = "scratch", .count = scratch}};
}

/// A program on so many elements.
struct Plan {
  Numbering numbering;
  std::vector<std::int32_t> level;
  std::vector<StepNumber> order;
  Layout layout;

  Plan(const Program& program, std::uint64_t count)
      : numbering(program),
        level(levels(numbering, Waits::Messages)),
        order(time_order(numbering, level)),
        layout(numbering, order, count) {}
};

}  // namespace

std::uint64_t scratch_elements(const Program& program, std::uint64_t count) {
  return Plan(program, count).layout.scratch_elements();
}

std::shared_ptr<const schedule::StepSource> make_steps(const Program& program, const Slice& data,
                                                       const Slice& scratch, std::uint8_t stream) {
  const Plan plan(program, data.count);
  LOCKSTEP_CHECK(scratch.count >= plan.layout.scratch_elements(),
                 "there is too little scratch for " + program.name);
  LOCKSTEP_CHECK(stream + program.channels <= UINT8_MAX + 1,
                 "there are too few streams for " + program.name);
  const auto buffers = buffers_of(data.count, plan.layout.scratch_elements());
  const auto placed = [&](const Slice& slice) {
    return (slice.buffer == kData ? data : scratch).part(slice.first, slice.count);
  };
  std::vector<std::vector<StepNumber>> orders(program.gpus.size());
  for (const StepNumber n : plan.order)
    orders[static_cast<std::size_t>(plan.numbering.gpu(n))].push_back(n);
  std::vector<std::vector<schedule::Step>> lists;
  for (Rank rank = 0; rank < program.ranks(); ++rank) {
    lists.push_back(Translation(plan.numbering, plan.layout, plan.level, rank,
                                orders[static_cast<std::size_t>(rank)], buffers)
                        .take());
    for (schedule::Step& step : lists.back()) {
      step.stream = static_cast<std::uint8_t>(step.stream + stream);
      step.from = placed(step.from);
      step.into = placed(step.into);
    }
  }
  return std::make_shared<schedule::StepList>(std::move(lists));
}

schedule::Schedule make_schedule(const Program& program, std::uint64_t count) {
  const std::uint64_t scratch = scratch_elements(program, count);
  schedule::Schedule result;
  result.name = program.name;
  result.ranks = program.ranks();
  result.buffers = buffers_of(count, scratch);
  result.fragments = {{.name = name_of(program.collective),
                       .bucket = 0,
                       .steps = make_steps(program, {kData, 0, count}, {kScratch, 0, scratch}, 0),
                       .after = {}}};
  return result;
}

schedule::Contract contract_of(const Program& program, std::uint64_t count) {
  return {.buffer = kData,
          .slice = {kData, 0, count},
          .collective = program.collective,
          .root = program.root};
}

}  // namespace lockstep::msccl
