// SPDX-License-Identifier: Apache-2.0
#include "models/schedule/symbolic_run.h"

#include <algorithm>
#include <utility>

#include "models/schedule/contributions.h"
#include "models/schedule/interval_map.h"

namespace lockstep::schedule {

namespace {

constexpr std::int32_t kPlain = -1;

/// What an element holds: whose contributions, and to which element of the contract's buffer, or of
/// the buffer that it was encoded into. The latter is kept as the distance from the element's own
/// place, which is alike along a run.
struct Content {
  SetId set = Contributions::unwritten();
  std::int64_t shift = 0;
  std::int32_t code = kPlain;  // which code it is a part of
  friend bool operator==(const Content&, const Content&) = default;
};

/// A run of elements on its way: `origin` is the element that the first of them contributes to.
struct Piece {
  std::uint64_t count;
  SetId set;
  std::int64_t origin;
  std::int32_t code;
};

class SymbolicRun {
 public:
  SymbolicRun(const Unrolled& unrolled, const Messages& messages, const Contract& contract,
              Findings& findings)
      : unrolled_(unrolled),
        messages_(messages),
        contract_(contract),
        findings_(findings),
        sets_(unrolled.schedule().ranks),
        under_way_(unrolled.size()) {
    const std::vector<Buffer>& buffers = unrolled.schedule().buffers;
    for (Rank rank = 0; rank < unrolled.schedule().ranks; ++rank)
      for (std::uint32_t b = 0; b < buffers.size(); ++b)
        contents_.emplace_back(buffers[b].count,
                               Content{b == contract.buffer && contract.holds_contributions_at_start
                                           ? sets_.own(rank)
                                           : Contributions::unwritten()});
  }

  void happen(Event event) {
    const StepId id = event / 2;
    const bool starts = event == start_of(id);
    const Step& step = unrolled_.step(id);
    switch (step.verb) {
      case Verb::Nothing:
        break;
      case Verb::Compute:
        if (starts) compute(id, step);
        break;
      case Verb::Send:
        if (starts) under_way_[id] = read(id, step.from, "sends");
        break;
      case Verb::Recv:
        if (!starts) {
          const std::vector<Piece> pieces = std::exchange(under_way_[messages_.mate[id]], {});
          write(id, pieces, step.into, step.combine);
        }
        break;
      case Verb::Combine:
        if (starts) write(id, read(id, step.from, "combines"), step.into, step.combine);
        break;
      case Verb::Encode:
        if (starts) encode(id, step);
        break;
      case Verb::Decode:
        if (starts) decode(id, step);
        break;
    }
  }

  /// Once all events have happened.
  void check_result() {
    const Slice& data = contract_.slice;
    const std::int32_t ranks = unrolled_.schedule().ranks;
    const auto expect = [&](Rank rank, const Slice& slice, Rank source) {
      const std::string fault = first_fault(rank, slice, source);
      if (!fault.empty()) findings_.add_general(rank, "at the end, " + fault);
    };
    for (Rank rank = 0; rank < ranks; ++rank) {
      switch (contract_.collective) {
        case Collective::AllReduce:
          expect(rank, data, kAllRanks);
          break;
        case Collective::ReduceScatter:
          expect(rank, chunk_of(data, rank, ranks), kAllRanks);
          break;
        case Collective::AllGather:
          for (Rank owner = 0; owner < ranks; ++owner)
            expect(rank, chunk_of(data, owner, ranks), owner);
          break;
        case Collective::Broadcast:
          expect(rank, data, contract_.root);
          break;
      }
    }
  }

 private:
  static constexpr Rank kAllRanks = -1;

  IntervalMap<Content>& contents(Rank rank, std::uint32_t buffer) {
    return contents_[static_cast<std::size_t>(rank) * unrolled_.schedule().buffers.size() + buffer];
  }
  Rank rank_of(StepId id) const { return unrolled_.section(id).rank; }
  std::string name(std::uint32_t buffer, std::uint64_t first, std::uint64_t end) const {
    return name_of(unrolled_.schedule(), buffer, first, end);
  }

  void compute(StepId id, const Step& step) {
    const Rank rank = rank_of(id);
    if (step.from.count > 0 && step.from.buffer == contract_.buffer) {
      const std::string fault = first_fault(rank, step.from, kAllRanks);
      if (!fault.empty()) findings_.add(id, "reads what is not reduced: " + fault);
    }
    if (step.into.count == 0) return;
    const bool contributes = step.into.buffer == contract_.buffer;
    contents(rank, step.into.buffer)
        .assign(step.into.first, step.into.end(),
                Content{contributes ? sets_.own(rank) : Contributions::foreign()});
  }

  const Code& code_of(const Step& step) const {
    return unrolled_.schedule().codes[static_cast<std::size_t>(step.target)];
  }
  /// Codes of elements that the contract says nothing about are foreign like these.
  bool concerns_contract(const Code& code) const {
    return !code.elements.empty() && code.elements.front().buffer == contract_.buffer;
  }

  void encode(StepId id, const Step& step) {
    const Rank rank = rank_of(id);
    const Code& code = code_of(step);
    Content made{Contributions::foreign()};
    if (concerns_contract(code) && means_elements(code, step.from)) {
      std::string fault;
      for (const Slice& slice : code.elements)
        if (fault.empty()) fault = first_fault(rank, slice, rank);
      if (!fault.empty()) findings_.add(id, "encodes what is not the rank's own: " + fault);
      made = {sets_.own(rank), 0, step.target};
    } else if (concerns_contract(code)) {
      const std::int64_t origin = check_code(id, step);
      // What was encoded together in one place stays code for that place; a stage is a new one.
      const bool votes = step.combine == Operator::Sum;
      made = {votes ? sets_.all() : sets_.own(rank),
              votes ? origin - static_cast<std::int64_t>(step.into.first) : 0, step.target};
    }
    contents(rank, step.into.buffer).assign(step.into.first, step.into.end(), made);
  }

  void decode(StepId id, const Step& step) {
    const Code& code = code_of(step);
    const bool concerns = concerns_contract(code);
    if (concerns) check_code(id, step);
    for (const Slice& slice : code.elements)
      contents(rank_of(id), slice.buffer)
          .assign(slice.first, slice.end(),
                  Content{concerns ? sets_.all() : Contributions::foreign()});
  }

  /// Checks that what a step reads is what all ranks have encoded with its code: the sum (or the
  /// maximum), or one rank's after the other. Returns where the first of it was encoded.
  std::int64_t check_code(StepId id, const Step& step) {
    const Rank rank = rank_of(id);
    const auto ranks = static_cast<std::uint64_t>(unrolled_.schedule().ranks);
    const bool is_gathered = step.combine == Operator::Sum;
    const std::uint64_t size = is_gathered ? step.from.count / ranks : step.from.count;
    std::string fault;
    std::int64_t first_origin = 0;
    for (std::uint64_t i = 0; i < (is_gathered ? ranks : 1) && fault.empty(); ++i) {
      const Slice part = step.from.part(i * size, size);
      std::int64_t origin = 0;
      fault = fault_of_code(rank, part, step.target, is_gathered ? static_cast<Rank>(i) : kAllRanks,
                            origin);
      if (i == 0) first_origin = origin;
      // Gathered codes lie where each rank encoded its own, or are all for one place: a vote.
      const bool votes = step.verb == Verb::Encode;
      const std::int64_t expected =
          votes ? first_origin : first_origin + static_cast<std::int64_t>(i * size);
      if (fault.empty() && size > 0 && origin != expected)
        fault = "the code of rank " + std::to_string(i) + " is " +
                std::to_string(origin - expected) + " elements further on than it should be";
    }
    if (!fault.empty()) findings_.add(id, "reads what is no whole code: " + fault);
    return first_origin;
  }

  /// What is wrong with a slice as code `code` of rank `source`, or as what all ranks' codes make
  /// together. `origin` becomes where its first element was encoded.
  std::string fault_of_code(Rank rank, const Slice& slice, std::int32_t code, Rank source,
                            std::int64_t& origin) {
    std::string fault;
    std::int64_t shift = 0;
    contents(rank, slice.buffer)
        .visit(slice.first, slice.end(),
               [&](std::uint64_t first, std::uint64_t end, const Content& content) {
                 if (!fault.empty()) return;
                 if (first == slice.first) shift = content.shift;
                 std::string what;
                 if (content.code != code)
                   what = content.code == kPlain ? "is not encoded" : "is part of another code";
                 else if (source == kAllRanks ? !sets_.is_complete_or_maximum(content.set)
                                              : content.set != sets_.own(source))
                   what = source == kAllRanks ? sets_.fault(content.set)
                                              : sets_.fault(content.set, source);
                 else if (content.shift != shift)
                   what = "is out of its order";
                 if (!what.empty()) fault = name(slice.buffer, first, end) + " " + what;
               });
    origin = static_cast<std::int64_t>(slice.first) + shift;
    return fault;
  }

  std::vector<Piece> read(StepId id, const Slice& slice, const char* verb) {
    std::vector<Piece> pieces;
    bool reported = false;
    contents(rank_of(id), slice.buffer)
        .visit(slice.first, slice.end(),
               [&](std::uint64_t first, std::uint64_t end, const Content& content) {
                 pieces.push_back({end - first, content.set,
                                   static_cast<std::int64_t>(first) + content.shift, content.code});
                 if (content.set != Contributions::unwritten()) return;
                 pieces.back().set = Contributions::foreign();
                 if (!std::exchange(reported, true))
                   findings_.add(id, std::string(verb) + " " + name(slice.buffer, first, end) +
                                         ", which was never written");
               });
    return pieces;
  }

  void write(StepId id, const std::vector<Piece>& pieces, const Slice& into, Operator combine) {
    IntervalMap<Content>& buffer = contents(rank_of(id), into.buffer);
    std::uint64_t at = into.first;
    bool reported = false;
    for (const Piece& piece : pieces) {
      const std::uint64_t first = std::exchange(at, at + piece.count);
      const Content arriving{piece.set, piece.origin - static_cast<std::int64_t>(first),
                             piece.code};
      if (combine == Operator::Replace) {
        buffer.assign(first, at, arriving);
        continue;
      }
      buffer.change(first, at, [&](std::uint64_t from, std::uint64_t end, const Content& present) {
        std::uint64_t flaws = 0;
        const std::string fault = fault_of_joining(present, arriving, combine, flaws);
        if (!fault.empty() && !std::exchange(reported, true))
          findings_.add(id, fault + " in " + name(into.buffer, from, end));
        return Content{sets_.join(present.set, arriving.set, combine, flaws),
                       sets_.is_empty(present.set) ? arriving.shift : present.shift, present.code};
      });
    }
  }

  std::string fault_of_joining(const Content& present, const Content& arriving, Operator combine,
                               std::uint64_t& flaws) const {
    if (present.set == Contributions::unwritten()) return "adds to what was never written";
    if (present.code != arriving.code) {
      flaws = Contributions::kMisplaced;
      return "adds codes of different kinds";
    }
    if (present.shift != arriving.shift && !sets_.is_empty(present.set) &&
        !sets_.is_empty(arriving.set)) {
      flaws = Contributions::kMisplaced;
      return "adds contributions to different elements (" +
             std::to_string(arriving.shift - present.shift) + " apart)";
    }
    if (combine == Operator::Sum && sets_.overlap(present.set, arriving.set) &&
        ((sets_.flaws(present.set) | sets_.flaws(arriving.set)) & Contributions::kTwice) == 0)
      return "counts a rank's contribution twice";
    return {};
  }

  /// What is wrong first with a slice of the contract's buffer, if anything: it should hold what
  /// `source` had, or the sum over all ranks.
  std::string first_fault(Rank rank, const Slice& slice, Rank source) {
    std::string fault;
    const bool sums = source == kAllRanks;
    contents(rank, slice.buffer)
        .visit(slice.first, slice.end(),
               [&](std::uint64_t first, std::uint64_t end, const Content& content) {
                 if (!fault.empty()) return;
                 std::string what;
                 if (sums ? !sets_.is_complete(content.set) : content.set != sets_.own(source))
                   what = sums ? sets_.fault(content.set) : sets_.fault(content.set, source);
                 else if (content.code != kPlain)
                   what = "is still encoded";
                 else if (content.shift != 0)
                   what = "holds the elements " + std::to_string(content.shift) + " further on";
                 if (!what.empty())
                   fault = name(slice.buffer, first, end) + " on rank " + std::to_string(rank) +
                           " " + what;
               });
    return fault;
  }

  const Unrolled& unrolled_;
  const Messages& messages_;
  const Contract& contract_;
  Findings& findings_;
  Contributions sets_;
  std::vector<IntervalMap<Content>> contents_;  // by rank, by buffer
  std::vector<std::vector<Piece>> under_way_;   // by Send
};

}  // namespace

void find_wrong_values(const Unrolled& unrolled, const Messages& messages,
                       std::span<const Event> order, const Contract& contract, Findings& findings) {
  SymbolicRun run(unrolled, messages, contract, findings);
  for (const Event event : order)
    if (event < 2 * unrolled.size()) run.happen(event);
  run.check_result();
}

}  // namespace lockstep::schedule
