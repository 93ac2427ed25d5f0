// SPDX-License-Identifier: Apache-2.0
// Which steps of a rank touch the same elements: what must be ordered, lest they race.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/schedule/interval_map.h"
#include "models/schedule/schedule.h"

namespace lockstep::schedule {

/// Takes the steps of one rank, numbered by the caller, one after the other, and keeps per element
/// the last that wrote it and those that read it since. A reader must come after that writer, a
/// writer after the readers and the writer; whatever was before those is then before it too.
/// Buffers that commute are left out.
class Accesses {
 public:
  /// `codes`, those of the schedule, must outlive it.
  explicit Accesses(const std::vector<Buffer>& buffers, std::span<const Code> codes = {})
      : codes_(codes) {
    for (const Buffer& buffer : buffers) {
      buffers_.emplace_back(buffer.count, History{});
      commutes_.push_back(buffer.commutes);
    }
  }

  /// Calls conflict(earlier, buffer, first, end) for the earlier steps that `step` must come after,
  /// and for which elements: not in order, and maybe several times. Then `step` counts as `number`.
  template <typename Conflict>
  void add(std::uint32_t number, const Step& step, Conflict conflict) {
    const auto others = [&](std::uint32_t earlier, std::uint32_t buffer, std::uint64_t first,
                            std::uint64_t end) {
      if (earlier != number && earlier != kNone) conflict(earlier, buffer, first, end);
    };
    const bool does_both = step.verb != Verb::Send && step.verb != Verb::Recv;
    if (step.verb == Verb::Nothing) return;
    if (step.verb == Verb::Send || does_both)
      for (const Slice& slice : meant(step, step.from))
        read(number, slice, others);
    if (step.verb == Verb::Recv || does_both)
      for (const Slice& slice : meant(step, step.into))
        write(number, slice, others);
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct History {
    std::uint32_t writer = kNone;
    std::uint32_t readers = kNone;  // the last in reads_, which leads to the others
    friend bool operator==(const History&, const History&) = default;
  };
  struct Read {
    std::uint32_t reader;
    std::uint32_t before;
  };

  /// What a slice of a step stands for.
  std::span<const Slice> meant(const Step& step, const Slice& slice) const {
    if (!is_coding(step)) return {&slice, 1};
    const Code& code = codes_[static_cast<std::size_t>(step.target)];
    return means_elements(code, slice) ? std::span(code.elements) : std::span(&slice, 1);
  }

  template <typename Conflict>
  void read(std::uint32_t number, const Slice& slice, Conflict conflict) {
    if (slice.count == 0 || commutes_[slice.buffer]) return;
    buffers_[slice.buffer].change(
        slice.first, slice.end(),
        [&](std::uint64_t first, std::uint64_t end, const History& history) {
          conflict(history.writer, slice.buffer, first, end);
          reads_.push_back({number, history.readers});
          return History{history.writer, static_cast<std::uint32_t>(reads_.size() - 1)};
        });
  }

  template <typename Conflict>
  void write(std::uint32_t number, const Slice& slice, Conflict conflict) {
    if (slice.count == 0 || commutes_[slice.buffer]) return;
    IntervalMap<History>& buffer = buffers_[slice.buffer];
    buffer.visit(slice.first, slice.end(),
                 [&](std::uint64_t first, std::uint64_t end, const History& history) {
                   conflict(history.writer, slice.buffer, first, end);
                   for (std::uint32_t r = history.readers; r != kNone; r = reads_[r].before)
                     conflict(reads_[r].reader, slice.buffer, first, end);
                 });
    buffer.assign(slice.first, slice.end(), History{number, kNone});
  }

  std::span<const Code> codes_;
  std::vector<IntervalMap<History>> buffers_;
  std::vector<bool> commutes_;  // each buffer: no order is needed there
  std::vector<Read> reads_;
};

}  // namespace lockstep::schedule
