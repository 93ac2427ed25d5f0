// SPDX-License-Identifier: Apache-2.0
#include "models/results/trace_json.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <tuple>
#include <vector>

#include <nlohmann/json.hpp>

#include "models/results/trace_steps.h"

namespace lockstep::results {

namespace {

using schedule::Lane;
using schedule::Step;
using schedule::Verb;

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// The format counts in microseconds: "12.345".
std::string microseconds(std::int64_t nanoseconds) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%lld.%03lld", static_cast<long long>(nanoseconds / 1000),
                static_cast<long long>(nanoseconds % 1000));
  return text.data();
}

std::string name_of(Lane lane) {
  switch (lane) {
    case Lane::Compute:
      return "compute";
    case Lane::Communication:
      return "communication";
    case Lane::Input:
      return "input";
  }
  return "";
}

std::string name_of(const Step& step, std::span<const std::string> work_names) {
  switch (step.verb) {
    case Verb::Nothing:
      return "nothing";
    case Verb::Compute:
      return work_names[static_cast<std::size_t>(step.target)];
    case Verb::Send:
      return "send → " + std::to_string(step.target);
    case Verb::Recv:
      return "receive ← " + std::to_string(step.target);
    case Verb::Combine:
      return "combine";
    case Verb::Encode:
      return "encode";
    case Verb::Decode:
      return "decode";
  }
  return "";
}

/// A span where it is drawn.
struct Slice {
  TraceSpan span;
  Step step;
  std::int64_t start = 0;  // nanoseconds
  std::int64_t end = 0;
  int thread = 0;
};

bool drawn_before(const TraceSpan& a, const TraceSpan& b) {
  return std::tuple(a.rank, a.lane, a.start, a.iteration, a.fragment, a.step) <
         std::tuple(b.rank, b.lane, b.start, b.iteration, b.fragment, b.step);
}

/// Threads: each slice takes the first row of its lane that is free by then. `slices` are sorted by
/// rank, lane and start.
void choose_threads(std::vector<Slice>& slices) {
  std::vector<std::int64_t> busy_until;  // of each row of the lane at hand
  for (std::size_t i = 0; i < slices.size(); ++i) {
    Slice& slice = slices[i];
    const bool same_lane = i > 0 && slices[i - 1].span.rank == slice.span.rank &&
                           slices[i - 1].span.lane == slice.span.lane;
    if (!same_lane) busy_until.clear();
    auto row = std::find_if(busy_until.begin(), busy_until.end(),
                            [&](std::int64_t until) { return until <= slice.start; });
    if (row == busy_until.end()) row = busy_until.insert(row, 0);
    *row = slice.end;
    slice.thread = static_cast<int>(row - busy_until.begin()) * schedule::kLanes +
                   static_cast<int>(slice.span.lane);
  }
}

/// Events, one a line.
class Events {
 public:
  /// `rest` are further members, each with a comma in front.
  void add(const char* phase, Rank rank, int thread, const std::string& rest) {
    text_ += (text_.empty() ? "" : ",\n") + std::string("{\"ph\":\"") + phase +
             "\",\"pid\":" + std::to_string(rank) + ",\"tid\":" + std::to_string(thread) + rest +
             "}";
  }
  void add_name(const char* what, Rank rank, int thread, const std::string& name, int position) {
    add("M", rank, thread,
        std::string(",\"name\":\"") + what + "_name\",\"args\":{\"name\":" + quoted(name) + "}");
    add("M", rank, thread,
        std::string(",\"name\":\"") + what +
            "_sort_index\",\"args\":{\"sort_index\":" + std::to_string(position) + "}");
  }
  std::string file() const {
    return "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n" + text_ + "\n]}\n";
  }

 private:
  std::string text_;
};

void add_names(Events& events, const std::vector<Slice>& slices,
               std::span<const std::string> host_of_rank) {
  std::map<Rank, std::map<int, Lane>> threads;
  for (const Slice& slice : slices)
    threads[slice.span.rank][slice.thread] = slice.span.lane;
  for (const auto& [rank, lanes] : threads) {
    const std::string& host = host_of_rank[static_cast<std::size_t>(rank)];
    events.add_name("process", rank, 0, "rank " + std::to_string(rank) + " (" + host + ")", rank);
    for (const auto& [thread, lane] : lanes) {
      const int row = thread / schedule::kLanes;
      std::string name = name_of(lane);
      if (row > 0) name.append(" ").append(std::to_string(row + 1));
      // All rows of a lane stand together.
      events.add_name("thread", rank, thread, name, static_cast<int>(lane) * 10000 + row);
    }
  }
}

void add_slices(Events& events, const schedule::Schedule& schedule,
                std::span<const std::string> work_names, const std::vector<Slice>& slices) {
  std::vector<std::string> categories;
  for (const schedule::Fragment& fragment : schedule.fragments)
    categories.push_back(quoted(fragment.name));
  for (const Slice& slice : slices) {
    const TraceSpan& span = slice.span;
    std::string rest = ",\"ts\":" + microseconds(slice.start) +
                       ",\"dur\":" + microseconds(slice.end - slice.start) +
                       ",\"name\":" + quoted(name_of(slice.step, work_names)) +
                       ",\"cat\":" + categories[span.fragment] +
                       ",\"args\":{\"iteration\":" + std::to_string(span.iteration) +
                       ",\"step\":" + std::to_string(span.step);
    if (slice.step.verb != Verb::Compute) rest += ",\"bytes\":" + std::to_string(span.bytes);
    events.add("X", span.rank, slice.thread, rest + "}");
  }
}

/// Arrows from the start of each send to the end of its receive; `spans` are those of `slices`.
void add_messages(Events& events, const schedule::Schedule& schedule,
                  std::span<const TraceSpan> spans, const std::vector<Slice>& slices) {
  std::int64_t number = 0;
  for (const auto& [send, receive] : match_messages(schedule, spans)) {
    const Slice& from = slices[send];
    const Slice& to = slices[receive];
    const std::string message =
        ",\"name\":\"message\",\"cat\":\"message\",\"id\":" + std::to_string(number++);
    // An arrow ends in the slice that is open at its time: just before the end.
    const std::int64_t arrival = std::max(to.start, to.end - 1);
    events.add("s", from.span.rank, from.thread, message + ",\"ts\":" + microseconds(from.start));
    events.add("f", to.span.rank, to.thread,
               message + ",\"bp\":\"e\",\"ts\":" + microseconds(arrival));
  }
}

/// On a process behind those of the ranks.
void add_path(Events& events, const Explanation& explanation, Rank process, Time origin) {
  events.add_name("process", process, 0, "critical path", process);
  for (std::size_t i = 0; i < explanation.path.size(); ++i) {
    const PathSegment& segment = explanation.path[i];
    const std::int64_t start = (segment.start - origin).picoseconds / 1000;
    const std::int64_t end = (segment.end - origin).picoseconds / 1000;
    const bool waits = segment.kind == PathSegment::Kind::Wait;
    const std::string name =
        (waits ? "wait, then " : "") + explanation.names[i] + ", rank " +
        std::to_string(segment.rank) +
        (segment.peer >= 0 ? " → " + std::to_string(segment.peer) : std::string());
    events.add("X", process, 0,
               ",\"ts\":" + microseconds(start) + ",\"dur\":" + microseconds(end - start) +
                   ",\"name\":" + quoted(name) + ",\"cat\":\"critical path\"");
  }
}

}  // namespace

std::string to_chrome_trace(const schedule::Schedule& schedule,
                            std::span<const std::string> work_names,
                            std::span<const std::string> host_of_rank,
                            std::span<const TraceSpan> spans, const Explanation* explanation) {
  std::vector<TraceSpan> sorted(spans.begin(), spans.end());
  std::sort(sorted.begin(), sorted.end(), drawn_before);
  Time origin = Time::max();
  for (const TraceSpan& span : sorted)
    origin = std::min(origin, span.start);

  std::vector<Slice> slices;
  slices.reserve(sorted.size());
  TraceSteps steps(schedule);
  for (const TraceSpan& span : sorted)
    slices.push_back({span, steps.of(span), (span.start - origin).picoseconds / 1000,
                      (span.end - origin).picoseconds / 1000, 0});
  choose_threads(slices);

  Events events;
  add_names(events, slices, host_of_rank);
  add_slices(events, schedule, work_names, slices);
  add_messages(events, schedule, sorted, slices);
  if (explanation != nullptr) add_path(events, *explanation, schedule.ranks, origin);
  return events.file();
}

}  // namespace lockstep::results
