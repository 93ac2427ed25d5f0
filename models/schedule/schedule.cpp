// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/schedule.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "models/base/errors.h"
#include "models/schedule/collective.h"

namespace lockstep::schedule {

std::uint64_t bytes_of(ElementType type) {
  switch (type) {
    case ElementType::Float32:
      return 4;
    case ElementType::Float16:
    case ElementType::BFloat16:
      return 2;
    case ElementType::Int8:
    case ElementType::Byte:
      return 1;
  }
  return 0;
}

std::string name_of(ElementType type) {
  switch (type) {
    case ElementType::Float32:
      return "float32";
    case ElementType::Float16:
      return "float16";
    case ElementType::BFloat16:
      return "bfloat16";
    case ElementType::Int8:
      return "int8";
    case ElementType::Byte:
      return "byte";
  }
  return "";
}

std::string name_of(Collective collective) {
  switch (collective) {
    case Collective::AllReduce:
      return "all-reduce";
    case Collective::ReduceScatter:
      return "reduce-scatter";
    case Collective::AllGather:
      return "all-gather";
    case Collective::Broadcast:
      return "broadcast";
  }
  return "";
}

void Step::wait_for(StepIndex step) {
  LOCKSTEP_CHECK(after_count < after.size(), "a step waits for at most three others");
  after[after_count++] = step;
}

StepList::StepList(std::vector<std::vector<Step>> lists) : lists_(std::move(lists)) {
  LOCKSTEP_CHECK(!lists_.empty(), "a step list needs a list");
}

const std::vector<Step>& StepList::of(Rank rank) const {
  return lists_.size() == 1 ? lists_.front() : lists_.at(static_cast<std::size_t>(rank));
}

StepSource::Shape StepList::shape(Rank rank) const {
  const auto count = static_cast<std::uint32_t>(of(rank).size());
  return {count, 1, std::max(count, 1u)};
}

void StepList::emit(Rank rank, std::uint32_t round, std::span<Step> slots) const {
  slots.front() = of(rank)[round];
}

Symmetry StepList::symmetry() const {
  for (const Step& step : lists_.front())
    if (step.verb == Verb::Send || step.verb == Verb::Recv) return {};
  return {.is_full = lists_.size() == 1};
}

std::vector<Step> steps_of(const Fragment& fragment, Rank rank) {
  const StepSource::Shape shape = fragment.steps->shape(rank);
  std::vector<Step> steps(std::size_t{shape.rounds} * shape.steps_per_round);
  for (std::uint32_t round = 0; round < shape.rounds; ++round)
    fragment.steps->emit(rank, round,
                         std::span(steps).subspan(std::size_t{round} * shape.steps_per_round,
                                                  shape.steps_per_round));
  return steps;
}

std::string describe(const Schedule& schedule, Rank rank, std::uint32_t fragment, StepIndex step) {
  return "rank " + std::to_string(rank) + ", " + schedule.fragments[fragment].name + ", step " +
         std::to_string(step);
}

namespace {

std::string name_of(Operator combine) {
  switch (combine) {
    case Operator::Replace:
      return "replacing";
    case Operator::Sum:
      return "adding";
    case Operator::Max:
      return "taking the maximum";
  }
  return "";
}

std::string name_of(const Schedule& schedule, const Slice& slice) {
  const std::string buffer = slice.buffer < schedule.buffers.size()
                                 ? schedule.buffers[slice.buffer].name
                                 : "buffer " + std::to_string(slice.buffer);
  return buffer + "[" + std::to_string(slice.first) + ", " + std::to_string(slice.end()) + ")";
}

}  // namespace

Schedule in_iteration(const Schedule& schedule, std::int32_t iteration) {
  const auto runs = [&](const Fragment& fragment) { return fragment.when.includes(iteration); };
  Schedule running = schedule;
  for (Fragment& fragment : running.fragments) {
    std::erase_if(fragment.after,
                  [&](const After& after) { return !runs(schedule.fragments[after.fragment]); });
    if (!runs(fragment))
      fragment = {.name = fragment.name,
                  .bucket = fragment.bucket,
                  .steps = std::make_shared<StepList>(std::vector<std::vector<Step>>(1)),
                  .after = {}};
    fragment.when = {};
  }
  return running;
}

/// Whether a fragment runs changes at the ends of its stretch, and within that from turn to turn;
/// where turns of different length meet, one common turn holds all there is.
std::vector<std::int32_t> different_iterations(const Schedule& schedule) {
  std::int64_t turn = 1;
  std::set<std::int64_t> starts{0};
  for (const Fragment& fragment : schedule.fragments) {
    turn = std::lcm(turn, std::int64_t{fragment.when.every});
    starts.insert({fragment.when.first, fragment.when.end});
  }
  std::set<std::vector<bool>> seen;
  std::vector<std::int32_t> iterations;
  for (const std::int64_t start : starts)
    for (std::int64_t i = start; i < std::min<std::int64_t>(start + turn, INT32_MAX); ++i) {
      std::vector<bool> running;
      for (const Fragment& fragment : schedule.fragments)
        running.push_back(fragment.when.includes(static_cast<std::int32_t>(i)));
      if (seen.insert(running).second) iterations.push_back(static_cast<std::int32_t>(i));
    }
  return iterations;
}

std::string describe(const Schedule& schedule, const Step& step) {
  const std::string stream = " (stream " + std::to_string(step.stream) + ")";
  switch (step.verb) {
    case Verb::Nothing:
      return "nothing";
    case Verb::Compute:
      return "compute work " + std::to_string(step.target);
    case Verb::Send:
      return "send " + name_of(schedule, step.from) + " to " + std::to_string(step.target) + stream;
    case Verb::Recv:
      return "receive " + name_of(schedule, step.into) + " from " + std::to_string(step.target) +
             ", " + name_of(step.combine) + stream;
    case Verb::Combine:
      return "combine " + name_of(schedule, step.from) + " into " + name_of(schedule, step.into) +
             ", " + name_of(step.combine);
    case Verb::Encode:
      return "encode " + name_of(schedule, step.from) + " into " + name_of(schedule, step.into) +
             " (code " + std::to_string(step.target) + ")";
    case Verb::Decode:
      return "decode " + name_of(schedule, step.from) + " into " + name_of(schedule, step.into) +
             " (code " + std::to_string(step.target) + ")";
  }
  return "";
}

}  // namespace lockstep::schedule
