// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/unrolled.h"

#include <algorithm>
#include <span>
#include <unordered_map>

#include "models/base/errors.h"

namespace lockstep::schedule {

Unrolled::Unrolled(const Schedule& schedule)
    : schedule_(schedule), fragments_(static_cast<std::uint32_t>(schedule.fragments.size())) {
  std::uint64_t total = 0;
  for (Rank rank = 0; rank < schedule.ranks; ++rank) {
    first_of_rank_.push_back(static_cast<StepId>(total));
    for (std::uint32_t f = 0; f < fragments_; ++f) {
      const StepSource::Shape shape = schedule.fragments[f].steps->shape(rank);
      const std::uint64_t count = std::uint64_t{shape.rounds} * shape.steps_per_round;
      LOCKSTEP_CHECK(total + count < kNoStep / 4, "too many steps to hold all of them at once");
      sections_.push_back(
          {rank, f, static_cast<StepId>(total), static_cast<StepId>(total + count), shape});
      total += count;
    }
  }
  first_of_rank_.push_back(static_cast<StepId>(total));
  steps_.resize(total);
  section_of_.resize(total);
  for (std::uint32_t s = 0; s < sections_.size(); ++s) {
    const Section& section = sections_[s];
    const std::uint32_t width = section.shape.steps_per_round;
    for (std::uint32_t round = 0; round < section.shape.rounds; ++round)
      schedule.fragments[section.fragment].steps->emit(
          section.rank, round,
          std::span(steps_).subspan(section.first + std::size_t{round} * width, width));
    std::fill(section_of_.begin() + section.first, section_of_.begin() + section.end, s);
  }
}

std::string Unrolled::name(StepId id) const {
  const Section& in = section(id);
  return describe(schedule_, in.rank, in.fragment, id - in.first) + " (" +
         describe(schedule_, steps_[id]) + ")";
}

namespace {

struct Channel {
  std::vector<StepId> sends;
  std::vector<StepId> receives;
};

std::uint64_t channel_key(Rank sender, Rank receiver, std::uint8_t stream) {
  return static_cast<std::uint64_t>(sender) << 36 | static_cast<std::uint64_t>(receiver) << 8 |
         stream;
}

}  // namespace

Messages::Messages(const Unrolled& unrolled)
    : mate(unrolled.size(), kNoStep),
      previous(unrolled.size(), kNoStep),
      number(unrolled.size(), 0) {
  std::unordered_map<std::uint64_t, Channel> channels;
  for (const Section& section : unrolled.sections()) {
    for (StepId id = section.first; id < section.end; ++id) {
      const Step& step = unrolled.step(id);
      const bool sends = step.verb == Verb::Send;
      if (!sends && step.verb != Verb::Recv) continue;
      Channel& channel = channels[sends ? channel_key(section.rank, step.target, step.stream)
                                        : channel_key(step.target, section.rank, step.stream)];
      std::vector<StepId>& own = sends ? channel.sends : channel.receives;
      const std::vector<StepId>& others = sends ? channel.receives : channel.sends;
      if (!own.empty()) previous[id] = own.back();
      number[id] = static_cast<std::uint32_t>(own.size());
      if (own.size() < others.size()) {
        mate[id] = others[own.size()];
        mate[mate[id]] = id;
      }
      own.push_back(id);
    }
  }
}

}  // namespace lockstep::schedule
