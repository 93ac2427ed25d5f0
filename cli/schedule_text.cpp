// SPDX-License-Identifier: Apache-2.0
#include "cli/schedule_text.h"

#include <algorithm>
#include <cstdio>

#include "models/base/units.h"
#include "models/schedule/facts.h"

namespace lockstep::cli {

namespace {

using schedule::Collective;
using schedule::Fragment;
using schedule::Schedule;
using schedule::Step;
using schedule::StepSource;
using schedule::Verb;

/// "1 rank", "4 ranks".
std::string counted(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

/// ", after 3, 5".
std::string waits_of(const Step& step) {
  std::string text;
  for (std::uint32_t d = 0; d < step.after_count; ++d)
    text += (d == 0 ? ", after " : ", ") + std::to_string(step.after[d]);
  return text;
}

std::string fragment_in_words(const Schedule& schedule, const Fragment& fragment, Rank rank) {
  const StepSource::Shape shape = fragment.steps->shape(rank);
  std::string text = "  " + fragment.name + ": " + counted(shape.rounds, "round") + " of " +
                     counted(shape.steps_per_round, "step") + ", " +
                     std::to_string(std::min(shape.rounds, shape.rounds_in_flight)) + " in flight";
  for (const schedule::After& after : fragment.after)
    text += (&after == fragment.after.data() ? "; after " : ", ") +
            schedule.fragments[after.fragment].name +
            (after.step == schedule::After::kWhole ? "" : " step " + std::to_string(after.step)) +
            (after.iterations_back == 0
                 ? ""
                 : ", " + counted(static_cast<std::uint32_t>(after.iterations_back), "iteration") +
                       " before");
  text += fragment.own_pace ? "; at its own pace\n" : "\n";
  const std::vector<Step> steps = steps_of(fragment, rank);
  for (std::uint32_t index = 0; index < steps.size(); ++index) {
    if (shape.steps_per_round > 1 && index % shape.steps_per_round == 0)
      text += "    round " + std::to_string(index / shape.steps_per_round) + "\n";
    if (steps[index].verb == Verb::Nothing) continue;
    char number[16];
    std::snprintf(number, sizeof number, "%8u  ", index);
    text += number + describe(schedule, steps[index]) + waits_of(steps[index]) + "\n";
  }
  return text;
}

/// What the rank that sends most must send at least. To reduce, all elements but one's own must
/// leave, in part sums, and to gather, all but one's own must arrive; a broadcast must arrive at
/// all but one. The mean over ranks is no smaller than this, so neither is the largest.
double least_bytes(const Schedule& schedule, const schedule::Contract& contract) {
  const double share = (schedule.ranks - 1.0) / schedule.ranks;
  const bool is_twofold = contract.collective == Collective::AllReduce;
  return (is_twofold ? 2 : 1) * share * static_cast<double>(schedule.bytes(contract.slice));
}

}  // namespace

std::string title(const Schedule& schedule, const schedule::Contract& contract) {
  return schedule.name + ": " + name_of(contract.collective) + " of " +
         counted(contract.slice.count, "element") + " on " +
         counted(static_cast<std::uint64_t>(schedule.ranks), "rank");
}

std::string steps_in_words(const Schedule& schedule, Rank rank) {
  std::string text = "rank " + std::to_string(rank) + "\n";
  for (const Fragment& fragment : schedule.fragments)
    text += fragment_in_words(schedule, fragment, rank);
  return text;
}

std::string summary_in_words(const Schedule& schedule, const schedule::Contract& contract) {
  std::uint64_t messages = 0;
  std::uint64_t most_messages = 0;
  std::uint64_t least = UINT64_MAX;
  std::uint64_t most = 0;
  for (Rank rank = 0; rank < schedule.ranks; ++rank) {
    const schedule::RankFacts facts = schedule::rank_facts(schedule, rank);
    std::uint64_t sent = 0;
    for (const schedule::PairBytes& pair : facts.sent)
      sent += pair.messages;
    messages += sent;
    most_messages = std::max(most_messages, sent);
    least = std::min(least, facts.bytes_sent);
    most = std::max(most, facts.bytes_sent);
  }
  std::string text = "  messages     " + std::to_string(messages) + ", at most " +
                     std::to_string(most_messages) + " from one rank; the longest chain of them " +
                     std::to_string(critical_rounds(schedule)) + "\n  bytes sent   ";
  if (least != most) text += format_bytes(static_cast<double>(least)) + " to ";
  text += format_bytes(static_cast<double>(most)) + " per rank";
  const double bound = least_bytes(schedule, contract);
  if (bound > 0) {
    char ratio[32];
    std::snprintf(ratio, sizeof ratio, "%.2f", static_cast<double>(most) / bound);
    text += std::string("; at most ") + ratio + " × the least possible, " + format_bytes(bound);
  }
  return text + "\n";
}

}  // namespace lockstep::cli
