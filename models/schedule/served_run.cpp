// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/served_run.h"

#include <algorithm>
#include <utility>

#include "models/schedule/contributions.h"
#include "models/schedule/interval_map.h"
#include "models/schedule/own_order.h"
#include "models/schedule/spanning.h"

namespace lockstep::schedule {

namespace {

/// What an element holds: which gradients, each a rank's of an iteration, of which element
/// (`shift`: how far away), and of parameters, in which iteration they were handed out.
struct Content {
  SetId set = Contributions::unwritten();
  std::int64_t shift = 0;
  std::int32_t handed_in = -1;
  friend bool operator==(const Content&, const Content&) = default;
};

struct Piece {
  std::uint64_t count;
  Content content;  // its shift is from here: the element that the first of them is about
};

class ServedRun {
 public:
  ServedRun(const Unrolled& unrolled, const Messages& messages, const Contract& contract,
            Findings& findings)
      : unrolled_(unrolled),
        schedule_(unrolled.schedule()),
        messages_(messages),
        contract_(contract),
        service_(*contract.service),
        findings_(findings),
        order_(unrolled, messages),
        sets_(schedule_.ranks * service_.iterations),
        applied_(static_cast<std::size_t>(schedule_.ranks)),
        under_way_(unrolled.size()) {
    for (Rank rank = 0; rank < schedule_.ranks; ++rank)
      for (std::uint32_t b = 0; b < schedule_.buffers.size(); ++b) {
        const bool is_model = b == contract.buffer || b == service_.parameters;
        contents_.emplace_back(schedule_.buffers[b].count,
                               Content{is_model ? sets_.none() : Contributions::unwritten()});
      }
  }

  void happen(Event event) {
    const StepId id = event / 2;
    const bool starts = event == start_of(id);
    const Step& step = unrolled_.step(id);
    if (step.verb == Verb::Send && starts)
      under_way_[id] = read(id, step.from);
    else if (step.verb == Verb::Recv && !starts)
      write(id, std::exchange(under_way_[messages_.mate[id]], {}), step.into, step.combine);
    else if (step.verb == Verb::Compute && starts)
      compute(id, step);
    else if (is_coding(step) || step.verb == Verb::Combine)
      findings_.add(id, "is no step of a service");
  }

  /// What is handed out never contains gradients that are too far ahead.
  void check_ahead() {
    for (const StepId id : handed_out_)
      for (const StepId apply : applied_[static_cast<std::size_t>(rank_of(id))]) {
        const Slice& slice = unrolled_.step(apply).into;
        const Slice& from = unrolled_.step(id).from;
        const bool overlap = slice.first < from.end() && from.first < slice.end();
        if (!overlap || iteration(apply) - service_.staleness <= iteration(id)) continue;
        if (!order_.is_before(id, apply))
          findings_.add(apply, "may come before " + unrolled_.name(id) +
                                   ", which is more than the staleness behind it");
      }
  }

  /// Once all events have happened: every gradient is applied, each element by one rank.
  void check_result() {
    std::uint64_t complete = 0;
    for (Rank rank = 0; rank < schedule_.ranks; ++rank)
      contents(rank, contract_.buffer)
          .visit(contract_.slice.first, contract_.slice.end(),
                 [&](std::uint64_t first, std::uint64_t end, const Content& content) {
                   if (content.set == sets_.all() && content.shift == 0)
                     complete += end - first;
                   else if (content.set != sets_.none())
                     findings_.add_general(
                         rank, "at the end, " + name(contract_.buffer, first, end) + " on rank " +
                                   std::to_string(rank) + " lacks gradients, or has others");
                 });
    if (complete != contract_.slice.count)
      findings_.add_general(-1, "all gradients are applied to " + std::to_string(complete) +
                                    " elements, of " + std::to_string(contract_.slice.count));
  }

 private:
  IntervalMap<Content>& contents(Rank rank, std::uint32_t buffer) {
    return contents_[static_cast<std::size_t>(rank) * schedule_.buffers.size() + buffer];
  }
  Rank rank_of(StepId id) const { return unrolled_.section(id).rank; }
  std::int32_t iteration(StepId id) const {
    return iteration_of(schedule_, service_.iterations, unrolled_.section(id).fragment);
  }
  SetId gradient(Rank rank, std::int32_t iteration) const {
    return sets_.own(iteration * schedule_.ranks + rank);
  }
  std::string name(std::uint32_t buffer, std::uint64_t first, std::uint64_t end) const {
    return name_of(schedule_, buffer, first, end);
  }
  static std::string name_of_gradient(Rank rank, std::int32_t iteration) {
    return "the gradient of rank " + std::to_string(rank) + " of iteration " +
           std::to_string(iteration);
  }

  void compute(StepId id, const Step& step) {
    const auto serves = [&](const Slice& slice) {
      return slice.count > 0 && slice.buffer == contract_.buffer;
    };
    if (serves(step.into)) return apply(id, step);
    if (serves(step.from)) return hand_out(id, step);
    if (step.from.count > 0 && step.from.buffer == service_.parameters) check_use(id, step);
    if (step.into.count == 0) return;
    const bool is_gradient = step.into.buffer == service_.gradients;
    contents(rank_of(id), step.into.buffer)
        .assign(step.into.first, step.into.end(),
                Content{is_gradient ? gradient(rank_of(id), iteration(id)) : sets_.foreign()});
  }

  void apply(StepId id, const Step& step) {
    if (step.from.count != step.into.count)
      return findings_.add(id, "applies gradients to another number of elements");
    applied_[static_cast<std::size_t>(rank_of(id))].push_back(id);
    write(id, read(id, step.from), step.into, Operator::Sum);
  }

  /// What is handed out contains the gradients that are always applied before.
  void hand_out(StepId id, const Step& step) {
    if (step.from.count != step.into.count)
      return findings_.add(id, "hands out another number of elements than it reads");
    const std::int32_t now = iteration(id);
    IntervalMap<SetId> known(schedule_.buffers[step.from.buffer].count, sets_.none());
    for (const StepId apply : applied_[static_cast<std::size_t>(rank_of(id))]) {
      const Slice& slice = unrolled_.step(apply).into;
      if (slice.first >= step.from.end() || step.from.first >= slice.end()) continue;
      if (apply > id || !order_.is_before(apply, id)) continue;
      known.change(slice.first, slice.end(), [&](std::uint64_t, std::uint64_t, SetId set) {
        return sets_.join(set, gradient_of_[apply], Operator::Sum, 0);
      });
    }
    std::vector<Piece> pieces;
    known.visit(step.from.first, step.from.end(),
                [&](std::uint64_t first, std::uint64_t end, SetId set) {
                  pieces.push_back({end - first, {set, static_cast<std::int64_t>(first), now}});
                });
    write(id, pieces, step.into, Operator::Replace);
    handed_out_.push_back(id);
  }

  /// What a worker computes with: what it was handed last, with what it may not miss.
  void check_use(StepId id, const Step& step) {
    const Rank rank = rank_of(id);
    const std::int32_t last = iteration(id) - 1;
    bool reported = false;
    contents(rank, step.from.buffer)
        .visit(step.from.first, step.from.end(),
               [&](std::uint64_t first, std::uint64_t end, const Content& content) {
                 const std::string fault = fault_of_use(rank, last, content);
                 if (!fault.empty() && !std::exchange(reported, true))
                   findings_.add(id, "reads " + name(step.from.buffer, first, end) + fault);
               });
  }

  std::string fault_of_use(Rank rank, std::int32_t last, const Content& content) const {
    if (content.handed_in != last || content.shift != 0)
      return ", which is not what was handed out in iteration " + std::to_string(last);
    if (last < 0) return "";
    if (!sets_.contains(content.set, gradient(rank, last)))
      return ", which may lack " + name_of_gradient(rank, last);
    for (std::int32_t i = 0; i <= last - service_.staleness; ++i)
      for (Rank other = 0; other < schedule_.ranks; ++other)
        if (!sets_.contains(content.set, gradient(other, i)))
          return ", which may lack " + name_of_gradient(other, i);
    return "";
  }

  std::vector<Piece> read(StepId id, const Slice& slice) {
    std::vector<Piece> pieces;
    contents(rank_of(id), slice.buffer)
        .visit(slice.first, slice.end(),
               [&](std::uint64_t first, std::uint64_t end, const Content& content) {
                 pieces.push_back({end - first, content});
                 pieces.back().content.shift += static_cast<std::int64_t>(first);
               });
    const auto lacks = [](const Piece& piece) {
      return piece.content.set == Contributions::unwritten();
    };
    if (std::ranges::any_of(pieces, lacks))
      findings_.add(id, "reads " + name(slice.buffer, slice.first, slice.end()) +
                            ", some of which was never written");
    return pieces;
  }

  void write(StepId id, const std::vector<Piece>& pieces, const Slice& into, Operator combine) {
    IntervalMap<Content>& buffer = contents(rank_of(id), into.buffer);
    std::uint64_t at = into.first;
    for (const Piece& piece : pieces) {
      const std::uint64_t first = std::exchange(at, at + piece.count);
      Content arriving = piece.content;
      arriving.shift -= static_cast<std::int64_t>(first);
      if (combine == Operator::Replace) {
        buffer.assign(first, at, arriving);
        continue;
      }
      const auto known = gradient_of_.emplace(id, arriving.set).first;
      if (known->second != arriving.set || !sets_.is_one(arriving.set) || arriving.shift != 0)
        findings_.add(id, "applies what is no gradient of " + name(into.buffer, first, at));
      buffer.change(first, at, [&](std::uint64_t, std::uint64_t, const Content& present) {
        if (sets_.overlap(present.set, arriving.set))
          findings_.add(id, "applies a gradient a second time");
        return Content{sets_.join(present.set, arriving.set, Operator::Sum, 0), arriving.shift, -1};
      });
    }
  }

  const Unrolled& unrolled_;
  const Schedule& schedule_;
  const Messages& messages_;
  const Contract& contract_;
  const Service& service_;
  Findings& findings_;
  OwnOrder order_;
  Contributions sets_;
  std::vector<IntervalMap<Content>> contents_;     // by rank, by buffer
  std::vector<std::vector<StepId>> applied_;       // by rank: steps that apply a gradient
  std::unordered_map<StepId, SetId> gradient_of_;  // which they apply
  std::vector<StepId> handed_out_;
  std::vector<std::vector<Piece>> under_way_;  // by Send
};

}  // namespace

void find_wrong_service(const Unrolled& unrolled, const Messages& messages,
                        std::span<const Event> order, const Contract& contract,
                        Findings& findings) {
  ServedRun run(unrolled, messages, contract, findings);
  for (const Event event : order)
    if (event < 2 * unrolled.size()) run.happen(event);
  run.check_ahead();
  run.check_result();
}

}  // namespace lockstep::schedule
