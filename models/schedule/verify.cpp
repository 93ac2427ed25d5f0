// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/verify.h"

#include <algorithm>
#include <set>

#include "models/schedule/event_graph.h"
#include "models/schedule/findings.h"
#include "models/schedule/races.h"
#include "models/schedule/served_run.h"
#include "models/schedule/spanning.h"
#include "models/schedule/symbolic_run.h"
#include "models/schedule/unrolled.h"

namespace lockstep::schedule {

std::string name_of(const Schedule& schedule, std::uint32_t buffer, std::uint64_t first,
                    std::uint64_t end) {
  return schedule.buffers[buffer].name + "[" + std::to_string(first) + ", " + std::to_string(end) +
         ")";
}

namespace {

bool is_inside(const Schedule& schedule, const Slice& slice) {
  return slice.buffer < schedule.buffers.size() &&
         slice.first <= schedule.buffers[slice.buffer].count &&
         slice.count <= schedule.buffers[slice.buffer].count - slice.first;
}

void check_frame(const Unrolled& unrolled, const Contract& contract, Findings& findings) {
  const Schedule& schedule = unrolled.schedule();
  std::set<std::string> names;
  for (const Buffer& buffer : schedule.buffers)
    if (!names.insert(buffer.name).second)
      findings.add_general(-1, "two buffers have the name " + buffer.name);
  if (contract.slice.buffer != contract.buffer || !is_inside(schedule, contract.slice))
    findings.add_general(-1, "the slice of the contract is not inside its buffer");
  if (contract.root < 0 || contract.root >= schedule.ranks)
    findings.add_general(-1, "the root of the contract is rank " + std::to_string(contract.root) +
                                 ", and there are " + std::to_string(schedule.ranks) + " ranks");
  for (const Code& code : schedule.codes)
    for (const Slice& slice : code.elements)
      if (!is_inside(schedule, slice) || slice.buffer != code.elements.front().buffer)
        findings.add_general(-1, "elements of code " + code.name + " are not inside one buffer");
  for (const Section& section : unrolled.sections()) {
    const Fragment& fragment = schedule.fragments[section.fragment];
    const auto complain = [&](const std::string& what) {
      findings.add_general(section.rank, "rank " + std::to_string(section.rank) + ", " +
                                             fragment.name + ": " + what);
    };
    if (section.shape.rounds_in_flight == 0) complain("no round may be in flight");
    if (fragment.own_pace) complain("has a pace of its own, and one iteration is to be proven");
    for (const After& after : fragment.after) {
      if (after.iterations_back != 0) {
        complain("waits for another iteration, and one is to be proven");
      } else if (after.fragment >= section.fragment) {
        complain("waits for fragment " + std::to_string(after.fragment) +
                 ", which is not before it");
      } else if (after.step != After::kWhole) {
        const Section& before = unrolled.section(section.rank, after.fragment);
        if (after.step >= before.end - before.first)
          complain("waits for step " + std::to_string(after.step) + " of " +
                   schedule.fragments[after.fragment].name + ", which has " +
                   std::to_string(before.end - before.first) + " steps");
      }
    }
  }
}

/// What is wrong with an Encode or Decode step by itself, or nothing.
std::string coding_fault(const Schedule& schedule, const Step& step) {
  if (step.target < 0 || static_cast<std::size_t>(step.target) >= schedule.codes.size())
    return "there is no code " + std::to_string(step.target);
  const Code& code = schedule.codes[static_cast<std::size_t>(step.target)];
  if (step.verb == Verb::Decode && !means_elements(code, step.into))
    return "decodes into another buffer than that of the code's elements";
  if (step.verb == Verb::Decode ? means_elements(code, step.from) : means_elements(code, step.into))
    return "has elements where a code belongs";
  if (step.combine == Operator::Max) return "codes have no maximum";
  if (step.combine == Operator::Sum &&
      step.from.count % static_cast<std::uint64_t>(schedule.ranks) != 0)
    return "reads " + std::to_string(step.from.count) + " elements as equally long codes of " +
           std::to_string(schedule.ranks) + " ranks";
  return "";
}

bool touches_commuting(const Schedule& schedule, const Step& step) {
  const auto commutes = [&](const Slice& slice) {
    return slice.count > 0 && slice.buffer < schedule.buffers.size() &&
           schedule.buffers[slice.buffer].commutes;
  };
  return commutes(step.from) || commutes(step.into);
}

/// What is wrong with a step by itself, or nothing.
std::string fault_of(const Unrolled& unrolled, StepId id) {
  const Schedule& schedule = unrolled.schedule();
  const Section& section = unrolled.section(id);
  const Step& step = unrolled.step(id);
  if (step.after_count > step.after.size()) return "waits for more steps than there is room for";
  for (std::uint32_t d = 0; d < step.after_count; ++d)
    if (step.after[d] >= id - section.first)
      return "waits for step " + std::to_string(step.after[d]) + ", which is not before it";
  const bool is_message = step.verb == Verb::Send || step.verb == Verb::Recv;
  if (is_message) {
    if (step.target < 0 || step.target >= schedule.ranks)
      return "there is no rank " + std::to_string(step.target) + " among " +
             std::to_string(schedule.ranks);
    if (step.target == section.rank) return "a rank has no messages with itself";
    if (step.lane != Lane::Communication) return "belongs on the communication lane";
  }
  switch (step.verb) {
    case Verb::Nothing:
      return step.after_count > 0 ? "an unused slot waits for nobody" : "";
    case Verb::Compute:
      if (step.lane == Lane::Communication && !touches_commuting(schedule, step))
        return "may not hold up the communication lane";
      break;
    case Verb::Send:
    case Verb::Recv:
      break;
    case Verb::Combine:
      if (step.from.count != step.into.count)
        return "combines " + std::to_string(step.from.count) + " elements into " +
               std::to_string(step.into.count);
      break;
    case Verb::Encode:
    case Verb::Decode:
      if (const std::string fault = coding_fault(schedule, step); !fault.empty()) return fault;
      break;
  }
  // A computation may read or write nothing that the schedule knows of.
  const auto reaches_out = [&](const Slice& slice) {
    return !(step.verb == Verb::Compute && slice == Slice{}) && !is_inside(schedule, slice);
  };
  const bool reads = step.verb != Verb::Recv;
  const bool writes = step.verb != Verb::Send;
  if ((reads && reaches_out(step.from)) || (writes && reaches_out(step.into)))
    return "reaches beyond its buffer";
  const bool excludes = step.verb == Verb::Compute && step.lane == Lane::Communication;
  if (touches_commuting(schedule, step) && !excludes)
    return "touches a buffer that commutes, and may do so while others do";
  const bool adds = step.combine != Operator::Replace && !is_coding(step) && step.into.count > 0;
  if (adds && writes && schedule.buffers[step.into.buffer].type == ElementType::Byte)
    return "adds bytes, whose meaning only a codec knows";
  return "";
}

void check_steps(const Unrolled& unrolled, Findings& findings) {
  for (StepId id = 0; id < unrolled.size() && !findings.is_full(); ++id) {
    const std::string fault = fault_of(unrolled, id);
    if (!fault.empty()) findings.add(id, fault);
  }
}

void check_pairs(const Unrolled& unrolled, const Messages& messages, Findings& findings) {
  const Schedule& schedule = unrolled.schedule();
  for (StepId id = 0; id < unrolled.size(); ++id) {
    const Step& step = unrolled.step(id);
    if (step.verb != Verb::Send && step.verb != Verb::Recv) continue;
    const bool sends = step.verb == Verb::Send;
    const StepId mate = messages.mate[id];
    if (mate == kNoStep) {
      findings.add(id, "is number " + std::to_string(messages.number[id] + 1) +
                           " on its channel, and rank " + std::to_string(step.target) + " has no " +
                           (sends ? "receive" : "send") + " to match");
    } else if (sends) {
      const std::uint64_t sent = schedule.bytes(step.from);
      const std::uint64_t received = schedule.bytes(unrolled.step(mate).into);
      if (sent != received)
        findings.add(id, "is " + std::to_string(sent) + " bytes, but meets " + unrolled.name(mate) +
                             ", which is " + std::to_string(received) + " bytes");
    }
  }
}

void report_cycle(const Unrolled& unrolled, const std::vector<StepId>& cycle, Findings& findings) {
  constexpr std::size_t kNamed = 8;
  std::string text = "may deadlock: it waits for ";
  for (std::size_t i = 1; i < std::min(cycle.size(), kNamed); ++i)
    text += unrolled.name(cycle[i]) + ", which waits for ";
  if (cycle.size() > kNamed)
    text += std::to_string(cycle.size() - kNamed) + " more, the last of which waits for ";
  findings.add(cycle.front(), text + "the first");
}

std::vector<Violation> prove(const Schedule& schedule, const Contract& contract) {
  const Unrolled unrolled(schedule);
  Findings findings(unrolled);
  check_frame(unrolled, contract, findings);
  check_steps(unrolled, findings);
  if (!findings.is_empty()) return findings.take();  // what follows relies on valid steps

  const Messages messages(unrolled);
  check_pairs(unrolled, messages, findings);
  const EventGraph::Order order = EventGraph(unrolled, messages, Waits::Pessimistic).order();
  if (!order.cycle.empty()) report_cycle(unrolled, order.cycle, findings);
  const bool can_run = findings.is_empty();
  find_races(unrolled, messages, findings);
  if (can_run && contract.service)
    find_wrong_service(unrolled, messages, order.events, contract, findings);
  else if (can_run)
    find_wrong_values(unrolled, messages, order.events, contract, findings);
  return findings.take();
}

}  // namespace

std::vector<Violation> verify(const Schedule& schedule, const Contract& contract) {
  if (!contract.service) return prove(schedule, contract);
  return prove(spanning(schedule, contract.service->iterations), contract);
}

}  // namespace lockstep::schedule
