// SPDX-License-Identifier: Apache-2.0
#include "models/results/critical_path.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "models/results/trace_steps.h"

namespace lockstep::results {

namespace {

using schedule::Lane;
using schedule::Step;
using schedule::Verb;

class Finder {
 public:
  Finder(const schedule::Schedule& schedule, std::span<const TraceSpan> spans)
      : schedule_(schedule),
        spans_(spans),
        steps_(schedule),
        by_end_(static_cast<std::size_t>(schedule.ranks)),
        other_end_(spans.size(), kNone),
        visited_(spans.size()) {
    for (std::size_t i = 0; i < spans.size(); ++i)
      by_end_[static_cast<std::size_t>(spans[i].rank)].push_back(i);
    for (std::vector<std::size_t>& of_rank : by_end_)
      std::sort(of_rank.begin(), of_rank.end(), [&](std::size_t a, std::size_t b) {
        return std::tie(spans[a].end, spans[a].iteration, spans[a].fragment, spans[a].step) <
               std::tie(spans[b].end, spans[b].iteration, spans[b].fragment, spans[b].step);
      });
    for (const auto& [send, receive] : match_messages(schedule, spans)) {
      other_end_[send] = receive;
      other_end_[receive] = send;
    }
  }

  std::vector<PathSegment> find(Rank rank, Time start, Time end) {
    start_ = start;
    time_ = end;
    std::size_t at = before(rank, end, kNone);
    while (time_ > start_ && at != kNone) {
      const TraceSpan& span = spans_[at];
      if (span.end < time_) add(PathSegment::Kind::Wait, span.end, rank, -1, span);
      visited_[at] = true;
      const auto [from, begin] = origin(at);
      const bool is_message = span.peer >= 0;
      const bool is_receive = is_message && steps_.of(span).verb == Verb::Recv;
      add(kind_of(span), begin, is_receive ? span.peer : span.rank,
          is_receive ? span.rank : span.peer, span);
      rank = spans_[from].rank;
      at = before(rank, begin, from);
    }
    if (time_ > start_) add(PathSegment::Kind::Wait, start_, rank, -1, TraceSpan{});
    std::reverse(path_.begin(), path_.end());
    return std::move(path_);
  }

 private:
  static constexpr std::size_t kNone = SIZE_MAX;

  static PathSegment::Kind kind_of(const TraceSpan& span) {
    if (span.peer >= 0) return PathSegment::Kind::Message;
    if (span.lane == Lane::Compute) return PathSegment::Kind::Compute;
    return span.lane == Lane::Input ? PathSegment::Kind::Input : PathSegment::Kind::Handle;
  }

  /// From `begin` to where the path has come.
  void add(PathSegment::Kind kind, Time begin, Rank rank, Rank peer, const TraceSpan& span) {
    begin = std::max(begin, start_);
    if (begin >= time_) return;
    const std::uint8_t stream = kind == PathSegment::Kind::Message ? steps_.of(span).stream : 0;
    path_.push_back({kind, rank, peer, stream, span.fragment, span.step, begin, time_});
    time_ = begin;
  }

  /// The step that decided when this one could end, and when it began: a message's other end where
  /// that came later.
  std::pair<std::size_t, Time> origin(std::size_t at) const {
    const std::size_t other = other_end_[at];
    const TraceSpan& span = spans_[at];
    if (other != kNone && spans_[other].start > span.start && spans_[other].start < span.end)
      return {other, spans_[other].start};
    return {at, span.start};
  }

  /// Of the rank's steps that end by `time` the last one that the path has not passed yet; of
  /// several, one that `next` waits for, then one of its lane.
  std::size_t before(Rank rank, Time time, std::size_t next) {
    const std::vector<std::size_t>& ends = by_end_[static_cast<std::size_t>(rank)];
    auto end = std::upper_bound(ends.begin(), ends.end(), time,
                                [&](Time t, std::size_t i) { return t < spans_[i].end; });
    std::size_t best = kNone;
    int merit = -1;
    while (end != ends.begin()) {
      const std::size_t i = *--end;
      if (best != kNone && spans_[i].end < spans_[best].end) break;
      if (visited_[i] || i == next) continue;
      const int own = next == kNone ? 0 : merit_of(spans_[i], spans_[next]);
      if (own > merit) {
        best = i;
        merit = own;
      }
    }
    return best;
  }

  int merit_of(const TraceSpan& earlier, const TraceSpan& later) {
    if (earlier.iteration == later.iteration && waits_for(later, earlier)) return 2;
    return earlier.lane == later.lane ? 1 : 0;
  }

  bool waits_for(const TraceSpan& later, const TraceSpan& earlier) {
    if (later.fragment == earlier.fragment) {
      const Step& step = steps_.of(later);
      return std::find(step.after.begin(), step.after.begin() + step.after_count, earlier.step) !=
             step.after.begin() + step.after_count;
    }
    const std::vector<schedule::After>& after = schedule_.fragments[later.fragment].after;
    return std::any_of(after.begin(), after.end(), [&](const schedule::After& one) {
      return one.fragment == earlier.fragment &&
             (one.step == schedule::After::kWhole || one.step == earlier.step);
    });
  }

  const schedule::Schedule& schedule_;
  std::span<const TraceSpan> spans_;
  TraceSteps steps_;
  std::vector<std::vector<std::size_t>> by_end_;  // [rank], places in spans_
  std::vector<std::size_t> other_end_;            // of a message
  std::vector<std::uint8_t> visited_;
  Time start_;
  Time time_;  // the path leads from here to the end
  std::vector<PathSegment> path_;
};

}  // namespace

std::vector<PathSegment> critical_path(const schedule::Schedule& schedule,
                                       std::span<const TraceSpan> spans, Rank rank, Time start,
                                       Time end) {
  return Finder(schedule, spans).find(rank, start, end);
}

}  // namespace lockstep::results
