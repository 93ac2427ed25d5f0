// SPDX-License-Identifier: Apache-2.0
#include "models/results/explanation.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "models/results/trace_steps.h"
#include "models/topology/routes.h"

namespace lockstep::results {

namespace {

using schedule::Step;
using Kind = PathSegment::Kind;

class Explainer {
 public:
  Explainer(const Explained& explained, std::int32_t iteration)
      : explained_(explained),
        steps_(explained.schedule),
        routes_(explained.topology, explained.seed) {
    for (Rank rank = 0; rank < explained.schedule.ranks; ++rank)
      if (figures_of(rank, iteration).end > figures_of(explanation_.rank, iteration).end)
        explanation_.rank = rank;
    figures_ = figures_of(explanation_.rank, iteration);
    iteration_ = iteration;
  }

  Explanation explain() {
    explanation_.seconds = figures_.duration().seconds();
    explanation_.exposed_communication_seconds = figures_.exposed.seconds();
    explanation_.wait_seconds = figures_.waiting.seconds();
    explanation_.path = critical_path(explained_.schedule, explained_.spans, explanation_.rank,
                                      figures_.start, figures_.end);
    name_segments();
    add_parts();
    add_links();
    add_bounds();
    return std::move(explanation_);
  }

 private:
  const IterationFigures& figures_of(Rank rank, std::int32_t iteration) const {
    return explained_
        .iterations[static_cast<std::size_t>(rank)][static_cast<std::size_t>(iteration)];
  }
  HostId host_of(Rank rank) const {
    return explained_.host_of_rank[static_cast<std::size_t>(rank)];
  }
  const topology::Link& link(LinkId id) const {
    return explained_.topology.links[static_cast<std::size_t>(id)];
  }
  std::vector<topology::Hop> route(Rank sender, Rank receiver, std::uint8_t stream) {
    const topology::Flow flow{host_of(sender), host_of(receiver), sender, receiver, stream};
    const topology::Route found = routes_.between(flow);
    return {found.hops.begin(), found.hops.end()};
  }

  void name_segments() {
    for (const PathSegment& segment : explanation_.path) {
      const std::string& fragment = explained_.schedule.fragments[segment.fragment].name;
      const bool computes = segment.kind == Kind::Compute || segment.kind == Kind::Input;
      const Step step = computes ? steps_.of(segment.rank, segment.fragment, segment.step) : Step{};
      explanation_.names.push_back(
          computes && step.verb == schedule::Verb::Compute
              ? explained_.work_names[static_cast<std::size_t>(step.target)]
              : fragment);
    }
  }

  /// The slowest link of the route, for the share of the message that takes it.
  std::string way_of(const PathSegment& segment) {
    const std::string& host =
        explained_.topology.hosts[static_cast<std::size_t>(host_of(segment.rank))].name;
    LinkId slowest = -1;
    double least = 0;
    for (const auto& [id, share] : route(segment.rank, segment.peer, segment.stream))
      if (const double rate = link(id).payload_bytes_per_second() / share;
          slowest < 0 || rate < least) {
        slowest = id;
        least = rate;
      }
    return slowest < 0 ? "within " + host : "over " + explained_.topology.link_name(slowest);
  }

  std::string what_of(const PathSegment& segment) {
    switch (segment.kind) {
      case Kind::Compute:
        return "computing";
      case Kind::Message:
        return "messages " + way_of(segment);
      case Kind::Handle:
        return "combining and codecs";
      case Kind::Input:
        return "input";
      case Kind::Wait:
        return "waiting for a turn";
    }
    return "";
  }

  void add_parts() {
    std::map<std::string, std::pair<Time, std::int64_t>> sums;
    for (const PathSegment& segment : explanation_.path) {
      auto& [time, count] = sums[what_of(segment)];
      time += segment.duration();
      ++count;
    }
    for (const auto& [what, sum] : sums)
      explanation_.parts.push_back({what, sum.first.seconds(), sum.second});
    std::stable_sort(explanation_.parts.begin(), explanation_.parts.end(),
                     [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  }

  void add_links() {
    constexpr std::size_t kParts = 20;
    std::map<LinkId, std::vector<double>> bytes;
    const double start = figures_.start.seconds();
    const double part = explanation_.seconds / kParts;
    if (part <= 0) return;
    for (const auto& [send, receive] : match_messages(explained_.schedule, explained_.spans)) {
      const TraceSpan& sent = explained_.spans[send];
      const double begin = (sent.start.seconds() - start) / part;
      const double end = (explained_.spans[receive].end.seconds() - start) / part;
      if (end <= 0 || begin >= kParts || end <= begin) continue;
      const Step step = steps_.of(sent);
      for (const auto& [id, share] : route(sent.rank, sent.peer, step.stream)) {
        std::vector<double>& of_link = bytes[id];
        of_link.resize(kParts);
        for (std::size_t i = 0; i < kParts; ++i) {
          const double overlap =
              std::min(end, static_cast<double>(i) + 1) - std::max(begin, static_cast<double>(i));
          if (overlap > 0)
            of_link[i] += share * static_cast<double>(sent.bytes) * overlap / (end - begin);
        }
      }
    }
    for (auto& [id, of_link] : bytes) {
      for (double& use : of_link)
        use /= link(id).payload_bytes_per_second() * part;
      explanation_.links.push_back({explained_.topology.link_name(id), std::move(of_link)});
    }
  }

  void add_bounds() {
    for (Rank rank = 0; rank < explained_.schedule.ranks; ++rank)
      explanation_.least_compute_seconds = std::max(explanation_.least_compute_seconds,
                                                    figures_of(rank, iteration_).compute.seconds());
    std::map<HostId, double> rates;  // of what leaves each host
    for (const HostId host : explained_.host_of_rank)
      rates[host] = 0;
    for (const topology::Link& one : explained_.topology.links)
      if (const auto found = rates.find(one.from); found != rates.end())
        found->second += one.payload_bytes_per_second();
    if (rates.size() < 2) return;
    double slowest = 0, all = 0;
    for (const auto& [host, rate] : rates) {
      slowest = slowest > 0 ? std::min(slowest, rate) : rate;
      all += rate;
    }
    const auto bytes = static_cast<double>(explained_.gradient_bytes);
    const double others = static_cast<double>(rates.size()) - 1;
    explanation_.least_network_seconds = std::max(bytes / slowest, 2 * others * bytes / all);
  }

  const Explained& explained_;
  TraceSteps steps_;
  topology::Routes routes_;
  std::int32_t iteration_ = 0;
  IterationFigures figures_;
  Explanation explanation_;
};

/// " ▁▂▃▄▅▆▇█": how full, part by part.
std::string bars(const std::vector<double>& shares) {
  static const char* const kBars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::string text;
  for (const double share : shares)
    text += kBars[std::clamp(static_cast<int>(share * 8 + 0.5), 0, 8)];
  return text;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values)
    sum += value;
  return sum / static_cast<double>(std::max<std::size_t>(1, values.size()));
}

}  // namespace

Explanation explain(const Explained& explained, std::int32_t iteration) {
  return Explainer(explained, iteration).explain();
}

std::string to_text(const Explanation& explanation) {
  std::string text;
  char line[256];
  const auto add = [&](const char* format, const auto&... values) {
    std::snprintf(line, sizeof line, format, values...);
    text += line;
  };
  const double seconds = explanation.seconds;
  add("an iteration of rank %d, which ends it last: %s\n", explanation.rank,
      format_seconds(seconds).c_str());
  add("  its critical path, %zu steps and waits that wait for one another:\n",
      explanation.path.size());
  for (const Explanation::Part& part : explanation.parts)
    add("    %-12s %5.1f %%  %s (%lld)\n", format_seconds(part.seconds).c_str(),
        seconds > 0 ? 100 * part.seconds / seconds : 0.0, part.what.c_str(),
        static_cast<long long>(part.count));
  add("  exposed communication %s, of which nothing moves %s\n",
      format_seconds(explanation.exposed_communication_seconds).c_str(),
      format_seconds(explanation.wait_seconds).c_str());
  const double least =
      std::max(explanation.least_compute_seconds, explanation.least_network_seconds);
  add("  at least %s: computing %s", format_seconds(least).c_str(),
      format_seconds(explanation.least_compute_seconds).c_str());
  if (explanation.least_network_seconds > 0)
    add(", any all-reduce %s", format_seconds(explanation.least_network_seconds).c_str());
  if (least > 0) add("; it takes %.2f times as long", seconds / least);
  text += "\n";
  std::vector<const Explanation::LinkUse*> links;
  for (const Explanation::LinkUse& link : explanation.links)
    links.push_back(&link);
  std::stable_sort(links.begin(), links.end(), [](const auto* a, const auto* b) {
    return mean(a->utilisation) > mean(b->utilisation);
  });
  constexpr std::size_t kShown = 8;
  if (!links.empty()) text += "  the links, from its start to its end:\n";
  for (std::size_t i = 0; i < std::min(kShown, links.size()); ++i)
    add("    |%s| %3.0f %%  %s\n", bars(links[i]->utilisation).c_str(),
        100 * mean(links[i]->utilisation), links[i]->name.c_str());
  if (links.size() > kShown) add("    and %zu more\n", links.size() - kShown);
  return text;
}

}  // namespace lockstep::results
