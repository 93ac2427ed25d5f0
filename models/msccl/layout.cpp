// SPDX-License-Identifier: Apache-2.0
#include "models/msccl/layout.h"

#include <algorithm>

#include "models/base/errors.h"
#include "models/schedule/pieces.h"

namespace lockstep::msccl {

using schedule::Collective;
using schedule::piece_of;
using schedule::Slice;

Layout::Layout(const Numbering& numbering, std::span<const StepNumber> order, std::uint64_t count)
    : numbering_(numbering),
      program_(numbering.program()),
      count_(count),
      gpus_(program_.gpus.size()),
      moved_(numbering.size()),
      sum_(numbering.size(), 0) {
  for (const StepNumber n : order)
    follow(n);
  place_scratch();
}

Slice Layout::piece(Piece number) const {
  const auto share = static_cast<std::uint64_t>(program_.chunks_of_share());
  const auto k = static_cast<std::uint64_t>(number);
  const auto shares = static_cast<std::uint64_t>(program_.chunks) / share;
  return piece_of(piece_of({kData, 0, count_}, k / share, shares), k % share, share);
}

Layout::Spot Layout::spot(Rank rank, const Place& place, std::int32_t offset) const {
  if (place.buffer == Buffer::Scratch) return {Region::Scratch, place.chunk + offset};
  const bool is_apart = !program_.is_in_place && place.buffer == Buffer::Input;
  return {is_apart ? Region::Copy : Region::Data, program_.data_chunk(rank, place) + offset};
}

void Layout::follow(StepNumber n) {
  const Step& step = numbering_.step(n);
  std::vector<Piece> own;
  if (reads_from(step.type)) own = read(n, step.from);
  if (receives(step.type)) moved_[n] = moved_[numbering_.sender(n)];
  // Round a circle of messages there is a receiver that is met before its sender.
  if (moved_[n].empty()) moved_[n] = own.empty() ? read(n, step.into) : own;
  if (reads_from(step.type)) make_room(n, step.from);
  if (writes_into(step.type)) {
    make_room(n, step.into);
    if (step.type != Type::Reduce) store(n, step.into);
  }
  if (step.type == Type::RecvReduceSend) {
    std::uint64_t& sums = state(n).sums;
    sum_[n] = sums;
    for (const Piece moved : moved_[n])
      sums += piece(moved).count;
  }
}

/// What the chunks at `place` hold. Scratch that was never written counts as piece 0, the largest.
std::vector<Layout::Piece> Layout::read(StepNumber n, const Place& place) {
  std::vector<Piece> pieces;
  for (std::int32_t i = 0; i < numbering_.step(n).count; ++i) {
    const Spot at = spot(numbering_.gpu(n), place, i);
    const Piece first = at.first == Region::Scratch ? 0 : at.second;
    pieces.push_back(state(n).holds.try_emplace(at, first).first->second);
  }
  return pieces;
}

void Layout::store(StepNumber n, const Place& place) {
  for (std::size_t i = 0; i < moved_[n].size(); ++i)
    state(n).holds[spot(numbering_.gpu(n), place, static_cast<std::int32_t>(i))] = moved_[n][i];
}

/// Sees to it that what the step moves fits in the chunks at `place`.
void Layout::make_room(StepNumber n, const Place& place) {
  for (std::size_t i = 0; i < moved_[n].size(); ++i) {
    const Spot at = spot(numbering_.gpu(n), place, static_cast<std::int32_t>(i));
    const std::uint64_t elements = piece(moved_[n][i]).count;
    if (at.first == Region::Copy) state(n).copied.insert(at.second);
    if (at.first == Region::Scratch) {
      std::uint64_t& room = state(n).room[at.second];
      room = std::max(room, elements);
    } else if (elements > piece(at.second).count) {
      throw ConfigError(
          place_of(program_, numbering_.step(n).line),
          "brings chunk " + std::to_string(moved_[n][i]) + " of the data to the place of chunk " +
              std::to_string(at.second) + ", which is smaller because " + std::to_string(count_) +
              " elements are no multiple of " + std::to_string(program_.chunks) + " chunks");
    }
  }
}

void Layout::place_scratch() {
  for (Rank rank = 0; rank < program_.ranks(); ++rank) {
    GpuState& gpu = gpus_[static_cast<std::size_t>(rank)];
    std::uint64_t at = program_.is_in_place ? 0 : count_;
    for (const auto& [chunk, room] : gpu.room) {
      gpu.begin[chunk] = at;
      at += room;
    }
    for (StepNumber n = numbering_.first_of(rank); n < numbering_.end_of(rank); ++n)
      sum_[n] += at;
    scratch_elements_ = std::max(scratch_elements_, at + gpu.sums);
  }
}

Slices Layout::slices(StepNumber n, const Place& place) const {
  const Rank rank = numbering_.gpu(n);
  const GpuState& gpu = gpus_[static_cast<std::size_t>(rank)];
  Slices slices;
  for (std::size_t i = 0; i < moved_[n].size(); ++i) {
    const auto [region, chunk] = spot(rank, place, static_cast<std::int32_t>(i));
    const std::uint64_t elements = piece(moved_[n][i]).count;
    if (region == Region::Scratch)
      slices.push_back({kScratch, gpu.begin.at(chunk), elements});
    else
      slices.push_back({region == Region::Data ? kData : kScratch, piece(chunk).first, elements});
  }
  return slices;
}

Slices Layout::into(StepNumber n) const {
  const Step& step = numbering_.step(n);
  if (step.type != Type::RecvReduceSend) return slices(n, step.into);
  Slices slices;
  std::uint64_t at = sum_[n];
  for (const Piece moved : moved_[n]) {
    slices.push_back({kScratch, at, piece(moved).count});
    at += slices.back().count;
  }
  return slices;
}

std::vector<std::pair<Slice, Slice>> Layout::copies(Rank gpu) const {
  std::vector<std::pair<Slice, Slice>> copies;
  if (program_.collective == Collective::Broadcast && gpu != program_.root) return copies;
  for (const Piece number : gpus_[static_cast<std::size_t>(gpu)].copied) {
    const Slice from = piece(number);
    copies.push_back({from, {kScratch, from.first, from.count}});
  }
  return copies;
}

}  // namespace lockstep::msccl
