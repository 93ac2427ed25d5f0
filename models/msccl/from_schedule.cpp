// SPDX-License-Identifier: Apache-2.0
#include "models/msccl/from_schedule.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "models/base/errors.h"
#include "models/msccl/grid.h"
#include "models/schedule/accesses.h"
#include "models/schedule/unrolled.h"

namespace lockstep::msccl {

using schedule::Contract;
using schedule::Operator;
using schedule::Schedule;
using schedule::Slice;
using schedule::StepId;
using schedule::Unrolled;
using schedule::Verb;

namespace {

bool is_message(const schedule::Step& step) {
  return step.verb == Verb::Send || step.verb == Verb::Recv;
}

/// The channel of each (sender, receiver, stream). The distance from sender to receiver is another
/// for each peer of a rank, so a few distances a channel keep a rank's peers on it few.
class Channels {
 public:
  explicit Channels(const Unrolled& unrolled) : ranks_(unrolled.schedule().ranks) {
    for (StepId id = 0; id < unrolled.size(); ++id) {
      const schedule::Step& step = unrolled.step(id);
      if (step.verb != Verb::Send || does_nothing(step)) continue;
      streams_.insert(step.stream);
      distances_.insert(distance(unrolled.section(id).rank, step.target));
    }
    groups_ = (static_cast<std::int32_t>(distances_.size()) + kTogether - 1) / kTogether;
    if (count() > kMostChannels)
      throw ConfigError(unrolled.schedule().name, "takes " + std::to_string(count()) +
                                                      " channels for its streams and pairs "
                                                      "of ranks, at most " +
                                                      std::to_string(kMostChannels) +
                                                      " are possible");
  }

  std::int32_t count() const {
    return std::max(1, static_cast<std::int32_t>(streams_.size()) * groups_);
  }
  std::int32_t of(Rank sender, Rank receiver, std::uint8_t stream) const {
    const auto at = [](const auto& set, auto value) {
      return static_cast<std::int32_t>(std::distance(set.begin(), set.find(value)));
    };
    return at(streams_, stream) * groups_ + at(distances_, distance(sender, receiver)) / kTogether;
  }

 private:
  /// To and from 15 peers are 30 thread blocks; with the local one below the 32 that older readers
  /// allow for both directions together.
  static constexpr std::int32_t kTogether = 15;
  Rank distance(Rank sender, Rank receiver) const { return (receiver - sender + ranks_) % ranks_; }

  Rank ranks_;
  std::set<std::uint8_t> streams_;
  std::set<Rank> distances_;
  std::int32_t groups_ = 0;
};

/// Writes the part of one GPU.
class GpuWriter {
 public:
  GpuWriter(const Unrolled& unrolled, const schedule::Messages& messages, const Grid& grid,
            const Channels& channels, Rank rank)
      : unrolled_(unrolled),
        messages_(messages),
        grid_(grid),
        channels_(channels),
        rank_(rank),
        accesses_(unrolled.schedule().buffers) {
    for (StepId id = unrolled.first_of(rank); id < unrolled.end_of(rank); ++id)
      if (!does_nothing(unrolled.step(id))) add(id);
  }

  Gpu take() {
    gpu_.chunks[static_cast<std::size_t>(grid_.data_buffer())] = grid_.chunks();
    gpu_.chunks[static_cast<std::size_t>(Buffer::Scratch)] = grid_.scratch();
    return std::move(gpu_);
  }

 private:
  /// The last position that is known to be complete, by block.
  using Known = std::map<std::int32_t, std::int32_t>;
  struct Written {
    std::int32_t block;
    std::int32_t position;
    Known known;  // when it is complete
  };

  [[noreturn]] void refuse(StepId id, const std::string& why) const {
    throw ConfigError(unrolled_.name(id), why);
  }

  void add(StepId id) {
    const std::int32_t number = block_of(id);
    const auto at = static_cast<std::size_t>(number);
    const std::vector<std::pair<std::int32_t, std::int32_t>> waits = awaited(id, number);
    std::vector<Step> parts = parts_of(id);
    // MSCCL takes one thing to wait for with each step; nops before it take the others.
    std::vector<Step>& steps = gpu_.blocks[at].steps;
    for (std::size_t w = 1; w < waits.size(); ++w) {
      Step& nop = steps.emplace_back();
      std::tie(nop.after_block, nop.after_step) = waits[w];
    }
    if (!waits.empty()) std::tie(parts[0].after_block, parts[0].after_step) = waits[0];
    steps.insert(steps.end(), parts.begin(), parts.end());
    if (steps.size() > static_cast<std::size_t>(kMostSteps))
      refuse(id, "is step " + std::to_string(steps.size()) + " of its thread block, at most " +
                     std::to_string(kMostSteps) + " are possible");
    const auto position = static_cast<std::int32_t>(steps.size()) - 1;
    known_[at][number] = position;
    written_.emplace(id, Written{number, position, known_[at]});
  }

  std::int32_t block_of(StepId id) {
    const schedule::Step& step = unrolled_.step(id);
    const std::tuple key{is_message(step) ? step.verb : Verb::Combine,
                         is_message(step) ? step.target : -1, step.stream};
    const auto [known, is_new] = blocks_.try_emplace(key, gpu_.blocks.size());
    if (is_new) {
      ThreadBlock& block = gpu_.blocks.emplace_back();
      known_.emplace_back();
      if (step.verb == Verb::Send) {
        block.send = step.target;
        block.channel = channels_.of(rank_, step.target, step.stream);
      } else if (step.verb == Verb::Recv) {
        block.recv = step.target;
        block.channel = channels_.of(step.target, rank_, step.stream);
      }
      if (gpu_.blocks.size() > static_cast<std::size_t>(kMostBlocks))
        refuse(id, "needs thread block " + std::to_string(gpu_.blocks.size()) + " of gpu " +
                       std::to_string(rank_) + ", at most " + std::to_string(kMostBlocks) +
                       " are possible");
    }
    return static_cast<std::int32_t>(known->second);
  }

  /// Blocks and positions that the step must wait for, latest first; what its block knows to be
  /// complete, or what these know, is left out.
  std::vector<std::pair<std::int32_t, std::int32_t>> awaited(StepId id, std::int32_t block) {
    std::set<StepId, std::greater<>> before;
    accesses_.add(id, unrolled_.step(id),
                  [&](StepId earlier, std::uint32_t, std::uint64_t, std::uint64_t) {
                    before.insert(earlier);
                  });
    Known& known = known_[static_cast<std::size_t>(block)];
    std::vector<std::pair<std::int32_t, std::int32_t>> awaited;
    for (const StepId earlier : before) {
      const Written& written = written_.at(earlier);
      const auto seen = known.find(written.block);
      if (seen != known.end() && seen->second >= written.position) continue;
      awaited.emplace_back(written.block, written.position);
      gpu_.blocks[static_cast<std::size_t>(written.block)]
          .steps[static_cast<std::size_t>(written.position)]
          .is_awaited = true;
      for (const auto& [other, position] : written.known) {
        std::int32_t& mine = known.try_emplace(other, position).first->second;
        mine = std::max(mine, position);
      }
    }
    return awaited;
  }

  /// A step moves few chunks in MSCCL, hence a large one is several.
  std::vector<Step> parts_of(StepId id) const {
    const schedule::Step& step = unrolled_.step(id);
    Step whole;
    whole.type = type_of(id);
    const Slice& other = is_message(step) ? mate_slice(id) : step.from;
    whole.from = grid_.place(step.verb == Verb::Send ? step.from : other);
    whole.into = grid_.place(step.verb == Verb::Send ? other : step.into);
    // What is added to lies where the sum goes.
    if (whole.type == Type::RecvReduceCopy) whole.from = whole.into;
    std::vector<Step> parts;
    for (std::int32_t left = grid_.count(elements_of(step)); left > 0; left -= kMostChunks) {
      parts.push_back(whole);
      parts.back().count = std::min(left, kMostChunks);
      whole.from.chunk += kMostChunks;
      whole.into.chunk += kMostChunks;
    }
    return parts;
  }

  const Slice& mate_slice(StepId id) const {
    const schedule::Step& mate = unrolled_.step(messages_.mate[id]);
    return mate.verb == Verb::Send ? mate.from : mate.into;
  }

  Type type_of(StepId id) const {
    const schedule::Step& step = unrolled_.step(id);
    if (step.verb == Verb::Compute || is_coding(step)) refuse(id, "MSCCL has no computations");
    if (step.verb == Verb::Send) return Type::Send;
    const bool receives = step.verb == Verb::Recv;
    switch (step.combine) {
      case Operator::Replace:
        return receives ? Type::Recv : Type::Copy;
      case Operator::Sum:
        return receives ? Type::RecvReduceCopy : Type::Reduce;
      case Operator::Max:
        break;
    }
    refuse(id, "MSCCL's files say no more than that something is reduced, which is taken for sums");
  }

  const Unrolled& unrolled_;
  const schedule::Messages& messages_;
  const Grid& grid_;
  const Channels& channels_;
  Rank rank_;
  schedule::Accesses accesses_;
  Gpu gpu_;
  std::map<std::tuple<Verb, Rank, std::uint8_t>, std::size_t> blocks_;
  std::vector<Known> known_;  // by block, after its last step
  std::map<StepId, Written> written_;
};

/// As the name of an algorithm, which MSCCL cuts off.
std::string plain(std::string name) {
  std::replace_if(
      name.begin(), name.end(),
      [](unsigned char c) { return std::isalnum(c) == 0 && c != '_' && c != '-'; }, '_');
  constexpr std::size_t kLongest = 63;
  return name.substr(0, kLongest);
}

}  // namespace

Program make_program(const Schedule& schedule, const Contract& contract) {
  if (schedule.fragments.size() != 1)
    throw ConfigError(schedule.name, "has " + std::to_string(schedule.fragments.size()) +
                                         " fragments, expected the one of a collective");
  const Unrolled unrolled(schedule);
  const schedule::Messages messages(unrolled);
  const Grid grid(unrolled, contract);
  const Channels channels(unrolled);
  Program program;
  program.file = program.name = plain(schedule.name);
  program.collective = contract.collective;
  program.root = contract.root;
  program.channels = channels.count();
  program.chunks = grid.chunks();
  for (Rank rank = 0; rank < schedule.ranks; ++rank)
    program.gpus.push_back(GpuWriter(unrolled, messages, grid, channels, rank).take());
  return program;
}

}  // namespace lockstep::msccl
