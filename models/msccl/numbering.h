// SPDX-License-Identifier: Apache-2.0
// The steps of a program in one row, how messages join them, and what waits for what.
#pragma once

#include <cstdint>
#include <vector>

#include "models/msccl/program.h"

namespace lockstep::msccl {

/// A step of any GPU: by GPU, then by thread block, then by position.
using StepNumber = std::uint32_t;
inline constexpr StepNumber kNoStep = UINT32_MAX;

/// The program must outlive it; its steps may wait only for steps that exist.
class Numbering {
 public:
  explicit Numbering(const Program& program);

  const Program& program() const { return program_; }
  StepNumber size() const { return static_cast<StepNumber>(entries_.size()); }
  const Step& step(StepNumber n) const { return block(n).steps[entries_[n].position]; }
  Rank gpu(StepNumber n) const { return entries_[n].gpu; }
  std::uint32_t block_number(StepNumber n) const { return entries_[n].block; }
  std::uint32_t position(StepNumber n) const { return entries_[n].position; }
  const ThreadBlock& block(StepNumber n) const {
    return program_.gpus[static_cast<std::size_t>(entries_[n].gpu)].blocks[entries_[n].block];
  }
  /// The steps of one GPU: from the first up to the end.
  StepNumber first_of(Rank gpu) const { return firsts_[static_cast<std::size_t>(gpu)].front(); }
  StepNumber end_of(Rank gpu) const { return firsts_[static_cast<std::size_t>(gpu)].back(); }

  /// The step before in the thread block, and that of another block which it waits for, or kNoStep.
  StepNumber previous(StepNumber n) const { return entries_[n].position > 0 ? n - 1 : kNoStep; }
  StepNumber awaited(StepNumber n) const;
  /// Of a step that sends the one that receives it, and the other way round: the k-th that sends
  /// from one GPU to another on a channel meets the k-th that receives there. kNoStep = there is
  /// none.
  StepNumber receiver(StepNumber n) const { return receivers_[n]; }
  StepNumber sender(StepNumber n) const { return senders_[n]; }

  /// "gpu 3, thread block 2, step 7".
  std::string name(StepNumber n) const;

 private:
  struct Entry {
    Rank gpu;
    std::uint32_t block;
    std::uint32_t position;
  };
  void match_messages();

  const Program& program_;
  std::vector<Entry> entries_;
  std::vector<std::vector<StepNumber>> firsts_;  // by GPU, by block; and where the GPU's end
  std::vector<StepNumber> receivers_;
  std::vector<StepNumber> senders_;
};

enum class Waits : std::uint8_t {
  OnGpu,     // for the step before in the thread block, and for the awaited one
  Messages,  // and, a step that receives, for the one that sends
};

/// The length of the longest chain of steps that end before each step; −1 of those that wait, at
/// last, for themselves.
std::vector<std::int32_t> levels(const Numbering& numbering, Waits waits);

}  // namespace lockstep::msccl
