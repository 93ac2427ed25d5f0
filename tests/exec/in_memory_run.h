// SPDX-License-Identifier: Apache-2.0
// Carries a schedule out in one thread, with messages that are copies: what the executor must equal
// bit for bit.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "exec/transport/combine.h"
#include "models/schedule/progress.h"

namespace lockstep::exec {

/// buffers[rank][buffer]: in and out.
using AllBuffers = std::vector<std::vector<std::vector<float>>>;

class InMemoryRun {
 public:
  InMemoryRun(const schedule::Schedule& schedule, AllBuffers& buffers)
      : schedule_(schedule), buffers_(buffers) {
    for (Rank rank = 0; rank < schedule.ranks; ++rank)
      programs_.push_back(std::make_unique<schedule::Progress>(schedule, rank));
    waiting_.resize(programs_.size());
  }

  void run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (Rank rank = 0; rank < schedule_.ranks; ++rank)
        moved = advance(rank) || moved;
    }
    for (const auto& program : programs_)
      if (!program->done()) throw std::runtime_error("the schedule is stuck");
  }

 private:
  using Floats = std::vector<float>;

  bool advance(Rank rank) {
    bool moved = false;
    for (int lane = 0; lane < schedule::kLanes; ++lane)
      while (const auto started = program(rank).next(static_cast<schedule::Lane>(lane))) {
        waiting_[static_cast<std::size_t>(rank)].push_back(started);
        moved = true;
      }
    auto& waiting = waiting_[static_cast<std::size_t>(rank)];
    for (std::size_t i = 0; i < waiting.size();) {
      if (!carry_out(rank, *waiting[i].step)) {
        ++i;
        continue;
      }
      const schedule::StartedStep started = waiting[i];
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(i));
      program(rank).complete(started);
      moved = true;
    }
    return moved;
  }

  bool carry_out(Rank rank, const schedule::Step& step) {
    using schedule::Verb;
    if (step.verb == Verb::Send) {
      const auto from = slice(rank, step.from);
      messages_[{rank, step.target, step.stream}].emplace_back(from.begin(), from.end());
    } else if (step.verb == Verb::Recv) {
      auto& queue = messages_[{step.target, rank, step.stream}];
      if (queue.empty()) return false;
      put(rank, step, queue.front());
      queue.pop_front();
    } else if (step.verb == Verb::Combine) {
      const auto from = slice(rank, step.from);
      put(rank, step, Floats(from.begin(), from.end()));
    }
    return true;
  }

  void put(Rank rank, const schedule::Step& step, const Floats& values) {
    combine(step.combine, schedule::ElementType::Float32, std::as_bytes(std::span(values)),
            std::as_writable_bytes(slice(rank, step.into)));
  }
  std::span<float> slice(Rank rank, const schedule::Slice& slice) {
    return std::span(buffers_[static_cast<std::size_t>(rank)][slice.buffer])
        .subspan(slice.first, slice.count);
  }
  schedule::Progress& program(Rank rank) { return *programs_[static_cast<std::size_t>(rank)]; }

  const schedule::Schedule& schedule_;
  AllBuffers& buffers_;
  std::vector<std::unique_ptr<schedule::Progress>> programs_;
  std::vector<std::vector<schedule::StartedStep>> waiting_;
  std::map<std::tuple<Rank, Rank, std::uint8_t>, std::deque<Floats>> messages_;
};

}  // namespace lockstep::exec
