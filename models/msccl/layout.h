// SPDX-License-Identifier: Apache-2.0
// Where the chunks of a program lie when there are so many elements.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "models/msccl/numbering.h"
#include "models/schedule/schedule.h"

namespace lockstep::msccl {

/// One slice per chunk. Buffer 0 is the data, buffer 1 scratch.
using Slices = std::vector<schedule::Slice>;
inline constexpr std::uint32_t kData = 0, kScratch = 1;

/// When the count is no multiple of the chunks, some chunks are one element larger than others.
/// Hence every chunk is followed through buffers and messages: it keeps its size wherever it goes,
/// and a scratch chunk has room for the largest that is ever put there.
///
/// Scratch holds, one after the other: a copy of the input, if the output lies apart; the chunks of
/// the program's scratch that are used; and for each `rrs` the sum that it sends.
class Layout {
 public:
  /// `order`: all steps, each after those it waits for. Both must outlive it. Throws ConfigError as
  /// make_steps() does.
  Layout(const Numbering& numbering, std::span<const StepNumber> order, std::uint64_t count);

  /// What step `n` reads besides what arrives, and where it leaves what comes of it: by chunk.
  Slices from(StepNumber n) const { return slices(n, numbering_.step(n).from); }
  Slices into(StepNumber n) const;

  /// What must be copied before a GPU begins: the chunks of its input that it uses, if the output
  /// lies apart.
  std::vector<std::pair<schedule::Slice, schedule::Slice>> copies(Rank gpu) const;
  std::uint64_t scratch_elements() const { return scratch_elements_; }

 private:
  /// A piece of the data: what a chunk of a buffer holds, or a sum of such.
  using Piece = std::int32_t;
  enum class Region : std::uint8_t { Data, Copy, Scratch };
  using Spot = std::pair<Region, std::int32_t>;

  struct GpuState {
    std::map<Spot, Piece> holds;                  // where it is not what it was at first
    std::set<Piece> copied;                       // pieces of the input that are used in the copy
    std::map<std::int32_t, std::uint64_t> room;   // elements, by scratch chunk that is used
    std::map<std::int32_t, std::uint64_t> begin;  // and where they begin
    std::uint64_t sums = 0;                       // elements that `rrs` steps add in
  };

  schedule::Slice piece(Piece number) const;
  Spot spot(Rank rank, const Place& place, std::int32_t offset) const;
  void follow(StepNumber n);
  std::vector<Piece> read(StepNumber n, const Place& place);
  void store(StepNumber n, const Place& place);
  void make_room(StepNumber n, const Place& place);
  GpuState& state(StepNumber n) { return gpus_[static_cast<std::size_t>(numbering_.gpu(n))]; }
  void place_scratch();
  Slices slices(StepNumber n, const Place& place) const;

  const Numbering& numbering_;
  const Program& program_;
  std::uint64_t count_;
  std::vector<GpuState> gpus_;
  std::vector<std::vector<Piece>> moved_;  // by step: what it moves
  std::vector<std::uint64_t> sum_;         // by `rrs`: where it adds, among the GPU's
  std::uint64_t scratch_elements_ = 0;
};

}  // namespace lockstep::msccl
