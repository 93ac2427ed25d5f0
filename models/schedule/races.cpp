// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/races.h"

#include "models/schedule/interval_map.h"
#include "models/schedule/own_order.h"

namespace lockstep::schedule {

namespace {

/// Goes through a rank's steps in program order (which its own order never contradicts) and keeps,
/// per element, the last writer and the readers since. A reader must come after the writer, a
/// writer after the readers and the writer; whatever was before those is then before it too.
class RaceSearch {
 public:
  RaceSearch(const Unrolled& unrolled, const Messages& messages, Findings& findings)
      : unrolled_(unrolled), messages_(messages), order_(unrolled, messages), findings_(findings) {}

  void search(Rank rank) {
    buffers_.clear();
    reads_.clear();
    for (const Buffer& buffer : unrolled_.schedule().buffers)
      buffers_.emplace_back(buffer.count, Accesses{});
    for (StepId id = unrolled_.first_of(rank); id < unrolled_.end_of(rank); ++id) {
      if (findings_.is_full()) return;
      const Step& step = unrolled_.step(id);
      switch (step.verb) {
        case Verb::Nothing:
          break;
        case Verb::Send:
          check_channel(id);
          read(id, step.from);
          break;
        case Verb::Recv:
          check_channel(id);
          write(id, step.into);
          break;
        case Verb::Compute:
        case Verb::Combine:
          read(id, step.from);
          write(id, step.into);
          break;
      }
    }
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Accesses {
    StepId writer = kNoStep;
    std::uint32_t readers = kNone;  // the last in reads_, which leads to the others
    friend bool operator==(const Accesses&, const Accesses&) = default;
  };
  struct Read {
    StepId reader;
    std::uint32_t before;
  };

  void read(StepId id, const Slice& slice) {
    if (slice.count == 0) return;
    buffers_[slice.buffer].change(
        slice.first, slice.end(),
        [&](std::uint64_t first, std::uint64_t end, const Accesses& accesses) {
          if (accesses.writer != kNoStep) demand_order(accesses.writer, id, slice, first, end);
          reads_.push_back({id, accesses.readers});
          return Accesses{accesses.writer, static_cast<std::uint32_t>(reads_.size() - 1)};
        });
  }

  void write(StepId id, const Slice& slice) {
    if (slice.count == 0) return;
    IntervalMap<Accesses>& buffer = buffers_[slice.buffer];
    buffer.visit(slice.first, slice.end(),
                 [&](std::uint64_t first, std::uint64_t end, const Accesses& accesses) {
                   if (accesses.writer != kNoStep)
                     demand_order(accesses.writer, id, slice, first, end);
                   for (std::uint32_t r = accesses.readers; r != kNone; r = reads_[r].before)
                     demand_order(reads_[r].reader, id, slice, first, end);
                 });
    buffer.assign(slice.first, slice.end(), Accesses{id, kNone});
  }

  void demand_order(StepId a, StepId b, const Slice& slice, std::uint64_t first,
                    std::uint64_t end) {
    if (a == b || (a == last_a_ && b == last_b_)) return;
    last_a_ = a;
    last_b_ = b;
    if (order_.is_before(a, b)) return;
    findings_.add(b, "may run while " + unrolled_.name(a) + " is not complete, and both touch " +
                         name_of(unrolled_.schedule(), slice.buffer, first, end) +
                         ": nothing on this rank orders them");
  }

  /// Progress keeps the order of a channel within a fragment only.
  void check_channel(StepId id) {
    const StepId previous = messages_.previous[id];
    if (previous == kNoStep ||
        unrolled_.section(previous).fragment == unrolled_.section(id).fragment)
      return;
    if (!order_.is_before(previous, id))
      findings_.add(id, "shares its channel with " + unrolled_.name(previous) +
                            ", and nothing on this rank orders them: messages may be mistaken");
  }

  const Unrolled& unrolled_;
  const Messages& messages_;
  OwnOrder order_;
  Findings& findings_;
  std::vector<IntervalMap<Accesses>> buffers_;
  std::vector<Read> reads_;
  StepId last_a_ = kNoStep;  // neighbouring runs often ask the same again
  StepId last_b_ = kNoStep;
};

}  // namespace

void find_races(const Unrolled& unrolled, const Messages& messages, Findings& findings) {
  RaceSearch search(unrolled, messages, findings);
  for (Rank rank = 0; rank < unrolled.schedule().ranks; ++rank)
    search.search(rank);
}

}  // namespace lockstep::schedule
