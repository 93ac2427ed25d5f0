// SPDX-License-Identifier: Apache-2.0
#include "tests/support/in_memory.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "models/base/errors.h"

namespace lockstep::support {

using schedule::Lane;
using schedule::Operator;
using schedule::Slice;
using schedule::StartedStep;
using schedule::Step;
using schedule::Verb;

InMemoryRun::InMemoryRun(const schedule::Schedule& schedule, std::uint64_t seed, Sends sends)
    : schedule_(schedule), random_(seed), sends_(sends) {
  for (Rank rank = 0; rank < schedule.ranks; ++rank) {
    RankState& state = ranks_.emplace_back(schedule, rank);
    for (const schedule::Buffer& buffer : schedule.buffers)
      state.buffers.emplace_back(buffer.count);
  }
}

std::vector<float>& InMemoryRun::buffer(Rank rank, std::uint32_t buffer) {
  return ranks_.at(static_cast<std::size_t>(rank)).buffers.at(buffer);
}

std::uint64_t InMemoryRun::bytes_sent(Rank rank) const {
  return ranks_.at(static_cast<std::size_t>(rank)).bytes_sent;
}

float* InMemoryRun::elements(Rank rank, const Slice& slice) {
  std::vector<float>& whole = buffer(rank, slice.buffer);
  LOCKSTEP_CHECK(slice.end() <= whole.size(), "a step reaches beyond its buffer");
  return whole.data() + slice.first;
}

/// A rank acts until nothing on it can happen; then it sleeps until a step of its peer has.
void InMemoryRun::run(std::int32_t iterations) {
  std::vector<bool> awake(ranks_.size(), true);
  std::vector<Rank> turns(ranks_.size());
  std::iota(turns.begin(), turns.end(), 0);
  iterations_ += iterations;
  for (RankState& state : ranks_) {
    state.progress.run_until(iterations_);
    state.iterations_left = iterations;
    begin_iteration(state);
  }
  while (!turns.empty()) {
    const std::size_t turn = random_.below(turns.size());
    const Rank rank = turns[turn];
    if (act(rank)) {
      // Whoever slept may have been waiting for just this.
      for (Rank other = 0; other < schedule_.ranks; ++other)
        if (!awake[static_cast<std::size_t>(other)]) {
          awake[static_cast<std::size_t>(other)] = true;
          turns.push_back(other);
        }
    } else {
      awake[static_cast<std::size_t>(rank)] = false;
      turns[turn] = turns.back();
      turns.pop_back();
    }
  }
  for (const RankState& state : ranks_)
    if (!state.progress.finished() || state.iterations_left > 0)
      throw std::runtime_error("rank " + std::to_string(state.progress.rank()) +
                               " cannot go on, and no other rank can");
}

void InMemoryRun::begin_iteration(RankState& state) {
  if (!std::exchange(state.fresh, false)) state.progress.restart();
  --state.iterations_left;
}

/// Tries everything that could happen on a rank in random order until something does.
bool InMemoryRun::act(Rank rank) {
  RankState& state = ranks_[static_cast<std::size_t>(rank)];
  if (state.progress.done() && state.iterations_left > 0) {
    begin_iteration(state);
    return true;
  }
  const std::size_t choices = schedule::kLanes + state.outstanding.size();
  const std::size_t offset = random_.below(choices);
  for (std::size_t i = 0; i < choices; ++i) {
    const std::size_t choice = (offset + i) % choices;
    if (choice < schedule::kLanes ? start(rank, static_cast<Lane>(choice))
                                  : advance(rank, choice - schedule::kLanes))
      return true;
  }
  return false;
}

bool InMemoryRun::start(Rank rank, Lane lane) {
  RankState& state = ranks_[static_cast<std::size_t>(rank)];
  for (const Outstanding& other : state.outstanding) {
    const Step& step = *other.started.step;
    const bool holds = step.verb != Verb::Send && step.verb != Verb::Recv;
    if (holds && step.lane == lane) return false;
  }
  const StartedStep started = state.progress.next(lane);
  if (!started) return false;
  state.outstanding.push_back({started});
  return true;
}

bool InMemoryRun::is_first_on_channel(Rank rank, std::size_t which) const {
  const RankState& state = ranks_[static_cast<std::size_t>(rank)];
  const Step& step = *state.outstanding[which].started.step;
  if (step.verb != Verb::Send && step.verb != Verb::Recv) return true;
  return std::none_of(state.outstanding.begin(),
                      state.outstanding.begin() + static_cast<std::ptrdiff_t>(which),
                      [&](const Outstanding& before) {
                        const Step& other = *before.started.step;
                        return other.verb == step.verb && other.target == step.target &&
                               other.stream == step.stream;
                      });
}

bool InMemoryRun::advance(Rank rank, std::size_t which) {
  RankState& state = ranks_[static_cast<std::size_t>(rank)];
  Outstanding& outstanding = state.outstanding[which];
  if (!is_first_on_channel(rank, which)) return false;
  if (!outstanding.has_happened) {
    outstanding.has_happened = happen(rank, outstanding);
    return outstanding.has_happened;
  }
  if (!may_complete(rank, outstanding)) return false;
  const StartedStep started = outstanding.started;
  state.outstanding.erase(state.outstanding.begin() + static_cast<std::ptrdiff_t>(which));
  state.progress.complete(started);
  return true;
}

bool InMemoryRun::happen(Rank rank, Outstanding& outstanding) {
  const Step& step = *outstanding.started.step;
  switch (step.verb) {
    case Verb::Nothing:
      throw std::runtime_error("an unused slot was started");
    case Verb::Compute:
      if (compute_) compute_(rank, step, outstanding.started.iteration);
      return true;
    case Verb::Send: {
      Channel& to = channel(rank, step.target, step.stream);
      const float* from = elements(rank, step.from);
      to.messages.emplace_back(from, from + step.from.count);
      outstanding.message = to.sent++;
      ranks_[static_cast<std::size_t>(rank)].bytes_sent += schedule_.bytes(step.from);
      return true;
    }
    case Verb::Recv: {
      Channel& from = channel(step.target, rank, step.stream);
      if (from.messages.empty()) return false;
      if (from.messages.front().size() != step.into.count)
        throw std::runtime_error("a message of " + std::to_string(from.messages.front().size()) +
                                 " elements meets one of " + std::to_string(step.into.count));
      combine(rank, step, from.messages.front().data());
      from.messages.pop_front();
      ++from.taken;
      return true;
    }
    case Verb::Combine:
      copy_.assign(elements(rank, step.from), elements(rank, step.from) + step.from.count);
      combine(rank, step, copy_.data());
      return true;
    case Verb::Encode:
    case Verb::Decode:
      throw std::runtime_error("codes are not for plain arrays");
  }
  return false;
}

bool InMemoryRun::may_complete(Rank rank, const Outstanding& outstanding) {
  const Step& step = *outstanding.started.step;
  if (step.verb != Verb::Send || sends_ == Sends::Eager) return true;
  return channel(rank, step.target, step.stream).taken > outstanding.message;
}

void InMemoryRun::combine(Rank rank, const Step& step, const float* from) {
  float* into = elements(rank, step.into);
  for (std::uint64_t i = 0; i < step.into.count; ++i) {
    switch (step.combine) {
      case Operator::Replace:
        into[i] = from[i];
        break;
      case Operator::Sum:
        into[i] += from[i];
        break;
      case Operator::Max:
        into[i] = std::max(into[i], from[i]);
        break;
    }
  }
}

}  // namespace lockstep::support
