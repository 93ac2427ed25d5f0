// SPDX-License-Identifier: Apache-2.0
#include "models/msccl/numbering.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

namespace lockstep::msccl {

Numbering::Numbering(const Program& program) : program_(program) {
  for (Rank gpu = 0; gpu < program.ranks(); ++gpu) {
    std::vector<StepNumber>& firsts = firsts_.emplace_back();
    const std::vector<ThreadBlock>& blocks = program.gpus[static_cast<std::size_t>(gpu)].blocks;
    for (std::uint32_t b = 0; b < blocks.size(); ++b) {
      firsts.push_back(size());
      for (std::uint32_t s = 0; s < blocks[b].steps.size(); ++s)
        entries_.push_back({gpu, b, s});
    }
    firsts.push_back(size());
  }
  match_messages();
}

void Numbering::match_messages() {
  using Channel = std::tuple<Rank, Rank, std::int32_t>;  // sender, receiver, channel
  std::map<Channel, std::vector<StepNumber>> sent;
  std::map<Channel, std::vector<StepNumber>> received;
  for (StepNumber n = 0; n < size(); ++n) {
    const ThreadBlock& on = block(n);
    if (sends(step(n).type)) sent[{gpu(n), on.send, on.channel}].push_back(n);
    if (receives(step(n).type)) received[{on.recv, gpu(n), on.channel}].push_back(n);
  }
  receivers_.assign(size(), kNoStep);
  senders_.assign(size(), kNoStep);
  for (const auto& [channel, senders] : sent) {
    const std::vector<StepNumber>& receivers = received[channel];
    for (std::size_t k = 0; k < std::min(senders.size(), receivers.size()); ++k) {
      receivers_[senders[k]] = receivers[k];
      senders_[receivers[k]] = senders[k];
    }
  }
}

StepNumber Numbering::awaited(StepNumber n) const {
  const Step& waiting = step(n);
  if (waiting.after_block < 0) return kNoStep;
  return firsts_[static_cast<std::size_t>(gpu(n))][static_cast<std::size_t>(waiting.after_block)] +
         static_cast<StepNumber>(waiting.after_step);
}

std::string Numbering::name(StepNumber n) const {
  return "gpu " + std::to_string(gpu(n)) + ", thread block " + std::to_string(block_number(n)) +
         ", step " + std::to_string(position(n));
}

std::vector<std::int32_t> levels(const Numbering& numbering, Waits waits) {
  const StepNumber size = numbering.size();
  std::vector<std::vector<StepNumber>> successors(size);
  std::vector<std::uint32_t> left(size, 0);  // predecessors without a level
  for (StepNumber n = 0; n < size; ++n) {
    const StepNumber sender = waits == Waits::Messages ? numbering.sender(n) : kNoStep;
    for (const StepNumber before :
         std::array{numbering.previous(n), numbering.awaited(n), sender}) {
      if (before == kNoStep) continue;
      successors[before].push_back(n);
      ++left[n];
    }
  }
  std::vector<std::int32_t> level(size, -1);
  std::vector<StepNumber> ready;  // level by level
  for (StepNumber n = 0; n < size; ++n)
    if (left[n] == 0) {
      level[n] = 0;
      ready.push_back(n);
    }
  for (std::size_t i = 0; i < ready.size(); ++i)
    for (const StepNumber next : successors[ready[i]])
      if (--left[next] == 0) {
        level[next] = level[ready[i]] + 1;
        ready.push_back(next);
      }
  return level;
}

}  // namespace lockstep::msccl
