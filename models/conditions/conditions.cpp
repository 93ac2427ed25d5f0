// SPDX-License-Identifier: Apache-2.0
#include "models/conditions/conditions.h"

#include <algorithm>
#include <cstdio>

#include "models/base/units.h"
#include "models/training/job_json.h"

namespace lockstep::conditions {

namespace {

std::string figure(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

std::string link_of(LinkId link, const topology::Topology& topology) {
  return link == kAll ? "every link" : topology.link_name(link);
}

std::string describe(const Straggler& straggler) {
  std::string text =
      straggler.rank == kAll ? std::string("every rank") : "rank " + std::to_string(straggler.rank);
  text += " computes " + figure(straggler.factor) + " times as long";
  if (straggler.probability < 1)
    text += " in " + figure(100 * straggler.probability) + " % of its iterations";
  return text;
}

std::string describe(const Traffic& traffic, const topology::Topology& topology) {
  std::string text =
      "others take " + figure(100 * traffic.share) + " % of " + link_of(traffic.link, topology);
  if (traffic.off_seconds > 0)
    text += ", for " + format_seconds(traffic.on_seconds) + ", then not for " +
            format_seconds(traffic.off_seconds) + " (means)";
  return text;
}

std::string describe(const Failure& failure, const topology::Topology& topology) {
  std::string text = failure.link == kAll ? "rank " + std::to_string(failure.rank)
                                          : topology.link_name(failure.link);
  text += " fails at " + format_seconds(failure.at_seconds);
  switch (failure.reaction) {
    case Reaction::Wait:
      return text + " for " + format_seconds(failure.lasts_seconds) + ", the job waits";
    case Reaction::Abort:
      return text + ", the job ends";
    case Reaction::Shrink:
      return text + ", the others go on";
    case Reaction::Reroute:
      return text + ", routes avoid it " + format_seconds(failure.detection_seconds) + " later";
  }
  return text;
}

std::string describe(const OtherJob& other) {
  const training::Job& job = other.job;
  std::string text = "beside " + job.network + ", " + std::to_string(job.ranks) +
                     " rank(s), batch " + std::to_string(job.batch) + ", " +
                     training::algorithm_of(job);
  if (other.start_seconds > 0) text += ", from " + format_seconds(other.start_seconds) + " on";
  return text;
}

}  // namespace

bool operator==(const OtherJob& a, const OtherJob& b) {
  return a.start_seconds == b.start_seconds && training::to_json(a.job) == training::to_json(b.job);
}

bool Conditions::is_random() const {
  return compute_jitter.value_or(0) > 0 ||
         std::any_of(stragglers.begin(), stragglers.end(),
                     [](const Straggler& one) { return one.probability < 1; }) ||
         std::any_of(traffic.begin(), traffic.end(),
                     [](const Traffic& one) { return one.off_seconds > 0; });
}

Conditions without_rank(const Conditions& conditions, Rank lost) {
  Conditions left = conditions;
  left.failure.reset();
  std::erase_if(left.stragglers, [&](const Straggler& one) { return one.rank == lost; });
  for (Straggler& straggler : left.stragglers)
    if (straggler.rank > lost) --straggler.rank;
  return left;
}

std::string name_of(Reaction reaction) {
  switch (reaction) {
    case Reaction::Wait:
      return "wait";
    case Reaction::Abort:
      return "abort";
    case Reaction::Shrink:
      return "shrink";
    case Reaction::Reroute:
      return "reroute";
  }
  return "";
}

std::vector<std::string> describe(const Conditions& conditions,
                                  const topology::Topology& topology) {
  std::vector<std::string> lines;
  if (conditions.compute_jitter)
    lines.push_back("computing varies by " + figure(100 * *conditions.compute_jitter) +
                    " % (standard deviation)");
  for (const Straggler& straggler : conditions.stragglers)
    lines.push_back(describe(straggler));
  for (const Traffic& traffic : conditions.traffic)
    lines.push_back(describe(traffic, topology));
  if (!conditions.batches.empty()) {
    const auto [least, most] =
        std::minmax_element(conditions.batches.begin(), conditions.batches.end());
    lines.push_back("ranks take " + std::to_string(*least) + " to " + std::to_string(*most) +
                    " images of a batch");
  }
  if (conditions.failure) lines.push_back(describe(*conditions.failure, topology));
  for (const OtherJob& other : conditions.jobs)
    lines.push_back(describe(other));
  return lines;
}

}  // namespace lockstep::conditions
