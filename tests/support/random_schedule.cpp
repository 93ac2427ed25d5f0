// SPDX-License-Identifier: Apache-2.0
#include "tests/support/random_schedule.h"

#include <algorithm>
#include <string>

#include "models/schedule/written_steps.h"

namespace lockstep::support {

using schedule::After;
using schedule::Fragment;
using schedule::Lane;
using schedule::Operator;
using schedule::Schedule;
using schedule::Slice;
using schedule::Step;
using schedule::StepIndex;
using schedule::Verb;
using schedule::WrittenProgram;

namespace {

std::uint32_t below(Random& random, std::uint64_t bound) {
  return static_cast<std::uint32_t>(random.below(bound));
}

Slice random_slice(Random& random, const Schedule& schedule, std::uint64_t count) {
  Slice slice;
  slice.buffer = below(random, schedule.buffers.size());
  slice.count = count;
  slice.first = random.below(schedule.buffers[slice.buffer].count - count + 1);
  return slice;
}

Step random_step(Random& random, const Schedule& schedule, Rank rank, StepIndex index) {
  Step step;
  step.verb = static_cast<Verb>(random.below(schedule.ranks > 1 ? 5 : 2));
  if (step.verb == Verb::Nothing) return step;
  const std::uint64_t count = random.below(4);
  const bool is_message = step.verb == Verb::Send || step.verb == Verb::Recv;
  step.target = static_cast<std::int32_t>(random.below(5));
  if (is_message) {
    step.target =
        static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(schedule.ranks - 1)));
    if (step.target >= rank) ++step.target;
    step.stream = static_cast<std::uint8_t>(random.below(2));
  }
  if (step.verb == Verb::Compute) step.lane = random.below(3) == 0 ? Lane::Input : Lane::Compute;
  if (step.verb != Verb::Recv) step.from = random_slice(random, schedule, count);
  if (step.verb != Verb::Send) step.into = random_slice(random, schedule, count);
  if (step.verb == Verb::Recv || step.verb == Verb::Combine)
    step.combine = static_cast<Operator>(random.below(3));
  // Mostly on steps nearby, because long chains are what real schedules are made of.
  for (std::uint64_t n = random.below(4); n > 0 && index > 0; --n)
    step.wait_for(random.below(3) == 0 ? below(random, index)
                                       : index - 1 - below(random, std::min(index, 4u)));
  return step;
}

Fragment random_fragment(Random& random, const Schedule& schedule) {
  std::vector<WrittenProgram> programs;
  for (Rank rank = 0; rank < schedule.ranks; ++rank) {
    WrittenProgram& program = programs.emplace_back();
    program.shape = {below(random, 7), below(random, 6), 1 + below(random, 4)};
    const std::uint32_t steps = program.shape.rounds * program.shape.steps_per_round;
    for (StepIndex index = 0; index < steps; ++index)
      program.steps.push_back(random_step(random, schedule, rank, index));
    if (random.below(4) == 0 && steps > 0) {  // a round without work
      const std::uint32_t round = below(random, program.shape.rounds);
      std::fill_n(program.steps.begin() + round * program.shape.steps_per_round,
                  program.shape.steps_per_round, Step{});
    }
  }
  Fragment fragment;
  fragment.name = "fragment " + std::to_string(schedule.fragments.size());
  fragment.bucket = static_cast<std::int32_t>(random.below(3)) - 1;
  fragment.steps = std::make_shared<schedule::WrittenSteps>(std::move(programs));
  return fragment;
}

After random_after(Random& random, const Schedule& schedule) {
  After after{below(random, schedule.fragments.size())};
  StepIndex most = After::kWhole;  // a step that all ranks have
  for (Rank rank = 0; rank < schedule.ranks; ++rank) {
    const auto shape = schedule.fragments[after.fragment].steps->shape(rank);
    most = std::min(most, shape.rounds * shape.steps_per_round);
  }
  if (most > 0 && random.below(2) == 0) after.step = below(random, most);
  return after;
}

}  // namespace

Schedule random_schedule(Random& random, std::int32_t ranks) {
  Schedule schedule;
  schedule.name = "random";
  schedule.ranks = ranks;
  schedule.buffers = {{.name = "large", .count = 20}, {.name = "small", .count = 5}};
  for (std::uint64_t fragments = random.below(7); fragments > 0; --fragments) {
    Fragment fragment = random_fragment(random, schedule);
    for (std::uint64_t n = random.below(3); n > 0 && !schedule.fragments.empty(); --n)
      fragment.after.push_back(random_after(random, schedule));
    schedule.fragments.push_back(std::move(fragment));
  }
  return schedule;
}

}  // namespace lockstep::support
