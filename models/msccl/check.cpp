// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "models/base/errors.h"
#include "models/msccl/numbering.h"
#include "models/msccl/program.h"

namespace lockstep::msccl {

namespace {

void check_awaited(const Program& program, const Gpu& gpu, std::size_t own, std::size_t position) {
  const Step& step = gpu.blocks[own].steps[position];
  if (step.after_block < 0) return;
  const auto block = static_cast<std::size_t>(step.after_block);
  const auto index = static_cast<std::size_t>(step.after_step);
  const std::string what =
      "waits for step " + std::to_string(index) + " of thread block " + std::to_string(block);
  const std::string place = place_of(program, step.line);
  if (block >= gpu.blocks.size() || index >= gpu.blocks[block].steps.size())
    throw ConfigError(place, what + ", which does not exist");
  const Step& awaited = gpu.blocks[block].steps[index];
  const std::string line =
      awaited.line > 0 ? " (line " + std::to_string(awaited.line) + ")" : std::string();
  if (block == own && index < position) return;
  if (block == own) throw ConfigError(place, what + line + ", its own, but is not after it");
  if (awaited.type == Type::Nop)
    throw ConfigError(place, what + line + ", a nop, which nobody can wait for");
  if (!awaited.is_awaited)
    throw ConfigError(place, what + line + ", which does not say so (hasdep must be 1 there)");
}

/// Blocks of one GPU that use one channel: of those that send, no two to the same GPU, as the order
/// of their messages would be left to chance; likewise of those that receive.
void check_channels(const Program& program, const Gpu& gpu) {
  for (const bool sending : {true, false}) {
    std::map<std::pair<std::int32_t, Rank>, const ThreadBlock*> users;
    std::map<std::int32_t, std::int32_t> peers;
    for (const ThreadBlock& block : gpu.blocks) {
      const Rank peer = sending ? block.send : block.recv;
      if (peer < 0) continue;
      const auto [user, is_new] = users.try_emplace({block.channel, peer}, &block);
      const std::string does = sending ? "sends to gpu " : "receives from gpu ";
      if (!is_new)
        throw ConfigError(place_of(program, block.line), does + std::to_string(peer) +
                                                             " on channel " +
                                                             std::to_string(block.channel) +
                                                             ", and so does the thread block in "
                                                             "line " +
                                                             std::to_string(user->second->line));
      if (++peers[block.channel] > kMostPeers)
        throw ConfigError(place_of(program, block.line),
                          "is number " + std::to_string(kMostPeers + 1) +
                              " of the thread blocks of its gpu that " +
                              (sending ? "send" : "receive") + " on channel " +
                              std::to_string(block.channel) + ", at most " +
                              std::to_string(kMostPeers) + " are possible");
    }
  }
}

void check_messages(const Numbering& numbering) {
  const Program& program = numbering.program();
  for (StepNumber n = 0; n < numbering.size(); ++n) {
    const Step& step = numbering.step(n);
    const ThreadBlock& block = numbering.block(n);
    const std::string channel = " on channel " + std::to_string(block.channel);
    if (receives(step.type) && numbering.sender(n) == kNoStep)
      throw ConfigError(place_of(program, step.line), "receives from gpu " +
                                                          std::to_string(block.recv) + channel +
                                                          ", which sends nothing to match");
    if (!sends(step.type)) continue;
    const StepNumber receiver = numbering.receiver(n);
    const std::string what = "sends to gpu " + std::to_string(block.send) + channel;
    if (receiver == kNoStep)
      throw ConfigError(place_of(program, step.line), what + ", which receives nothing to match");
    const Step& other = numbering.step(receiver);
    if (other.count != step.count)
      throw ConfigError(place_of(program, step.line),
                        what + " " + std::to_string(step.count) + " chunks, but line " +
                            std::to_string(other.line) + " receives " +
                            std::to_string(other.count));
  }
}

/// A circle of messages between GPUs is left to verify(); one within a GPU has no order at all.
void check_circles(const Numbering& numbering) {
  const std::vector<std::int32_t> level = levels(numbering, Waits::OnGpu);
  const auto stuck = std::find(level.begin(), level.end(), -1);
  if (stuck == level.end()) return;
  // Back through steps without a level: sooner or later round the circle, and then round it again.
  auto at = static_cast<StepNumber>(stuck - level.begin());
  const auto back = [&](StepNumber n) {
    const StepNumber awaited = numbering.awaited(n);
    return awaited != kNoStep && level[awaited] < 0 ? awaited : numbering.previous(n);
  };
  for (StepNumber walked = 0; walked < numbering.size(); ++walked)
    at = back(at);
  while (numbering.awaited(at) == kNoStep || back(at) != numbering.awaited(at))
    at = back(at);
  const Step& awaited = numbering.step(numbering.awaited(at));
  throw ConfigError(place_of(numbering.program(), numbering.step(at).line),
                    numbering.name(at) + " never starts: it waits for " +
                        numbering.name(numbering.awaited(at)) + " (line " +
                        std::to_string(awaited.line) + "), which waits for it in turn");
}

/// Only the root has data to begin with: a step of its own is the first to read any.
Rank root_of(const Numbering& numbering) {
  const std::vector<std::int32_t> level = levels(numbering, Waits::Messages);
  std::set<Rank> roots;
  for (StepNumber n = 0; n < numbering.size(); ++n)
    if (level[n] == 0 && reads_from(numbering.step(n).type)) roots.insert(numbering.gpu(n));
  if (roots.empty() && numbering.program().ranks() == 1) return 0;
  if (roots.size() == 1) return *roots.begin();
  throw ConfigError(numbering.program().file,
                    "a broadcast must have one root, whose steps wait for no message at first; "
                    "there are " +
                        std::to_string(roots.size()) + " such gpus");
}

}  // namespace

void check(Program& program) {
  for (const Gpu& gpu : program.gpus) {
    for (std::size_t b = 0; b < gpu.blocks.size(); ++b)
      for (std::size_t s = 0; s < gpu.blocks[b].steps.size(); ++s)
        check_awaited(program, gpu, b, s);
    check_channels(program, gpu);
  }
  const Numbering numbering(program);
  check_messages(numbering);
  check_circles(numbering);
  if (program.collective == schedule::Collective::Broadcast) program.root = root_of(numbering);
}

}  // namespace lockstep::msccl
