// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/channels.h"

#include <algorithm>

namespace lockstep::exec {

std::vector<Channel> peers_of(const schedule::Schedule& schedule, Rank rank) {
  using schedule::Step;
  using schedule::Verb;
  std::vector<Channel> channels;
  std::vector<Step> slots;
  for (const schedule::Fragment& fragment : schedule.fragments) {
    const auto shape = fragment.steps->shape(rank);
    for (std::uint32_t round = 0; round < shape.rounds; ++round) {
      slots.assign(shape.steps_per_round, Step{});
      fragment.steps->emit(rank, round, slots);
      for (const Step& step : slots) {
        if (step.verb != Verb::Send && step.verb != Verb::Recv) continue;
        const Channel channel{step.target, step.stream};
        const auto at = std::lower_bound(channels.begin(), channels.end(), channel);
        if (at == channels.end() || *at != channel) channels.insert(at, channel);
      }
    }
  }
  return channels;
}

}  // namespace lockstep::exec
