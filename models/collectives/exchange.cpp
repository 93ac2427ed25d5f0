// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/exchange.h"

#include <algorithm>
#include <array>

#include "models/base/errors.h"
#include "models/collectives/messages.h"
#include "models/schedule/pieces.h"

namespace lockstep::collectives {

namespace {

using schedule::Operator;
using schedule::piece_count;
using schedule::Segments;
using schedule::Slice;
using schedule::Step;
using schedule::StepIndex;

/// The last three steps of a row in which each waits for the third before it: once they are
/// complete, all are.
class LastThree {
 public:
  void add(Step& step, StepIndex index) {
    if (count_ >= steps_.size()) step.wait_for(steps_[count_ % steps_.size()]);
    add(index);
  }
  void add(StepIndex index) { steps_[count_++ % steps_.size()] = index; }
  void make_wait(Step& step) const {
    for (std::size_t i = 0; i < std::min(count_, steps_.size()); ++i)
      step.wait_for(steps_[i]);
  }

 private:
  std::array<StepIndex, 3> steps_{};
  std::size_t count_ = 0;
};

class Exchange final : public schedule::StepSource {
 public:
  Exchange(const Operation& operation, const std::vector<std::int32_t>& radices)
      : data_(operation.data),
        stream_(operation.stream),
        largest_(operation.segment_elements),
        ranks_(operation.ranks) {
    const bool is_all_reduce = operation.collective == Collective::AllReduce;
    std::int32_t span = ranks_;
    std::int32_t below = 1;
    for (const std::int32_t radix : radices) {
      span /= radix;
      const std::uint32_t segments = piece_count(chunks(0, span).count, largest_);
      stages_.push_back({radix, is_all_reduce ? below : span, span, segments});
      below *= radix;
      width_ = std::max(width_, 2 * static_cast<std::uint32_t>(radix - 1) * segments);
    }
    LOCKSTEP_CHECK(span == 1 && below == ranks_, "the radices do not multiply to the ranks");
    const auto stages = static_cast<std::uint32_t>(stages_.size());
    reducing_ = operation.collective == Collective::AllGather ? 0 : stages;
    gathering_ = operation.collective == Collective::ReduceScatter ? 0 : stages;
  }

  Shape shape(Rank) const override {
    // Two rounds: receives are posted one stage ahead, and what is two stages back is complete.
    return {reducing_ + gathering_, width_, 2};
  }

  /// Where parts differ in size they are not alike, nor where a segment waits for one of several.
  schedule::Symmetry symmetry() const override {
    if (data_.count % static_cast<std::uint64_t>(ranks_) != 0) return {};
    std::vector<std::int32_t> radices;
    for (const Stage& stage : stages_) {
      if (stage.segments > 1 && stages_.size() > 1) return {};
      radices.push_back(stage.radix);
    }
    if (stages_.size() > 1 && stages_.front().stride > 1)
      std::reverse(radices.begin(), radices.end());
    return {.radices = radices};
  }

  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override {
    if (round < reducing_)
      reduce(rank, round, slots);
    else
      gather(rank, round, slots);
  }

 private:
  static constexpr StepIndex kSend = 0, kReceive = 1;

  struct Stage {
    std::int32_t radix;
    std::int32_t stride;     // between ranks that differ by one in the digit
    std::int32_t span;       // chunks of a part
    std::uint32_t segments;  // of the largest part

    std::int32_t digit_of(Rank rank) const { return rank / stride % radix; }
    /// The rank whose digit is `distance` further than that of `rank`.
    Rank peer(Rank rank, std::int32_t distance) const {
      const std::int32_t digit = digit_of(rank);
      return rank + ((digit + distance + radix) % radix - digit) * stride;
    }
  };

  /// The i-th message of a round: it goes i digits further, or comes from i digits before.
  StepIndex slot(const Stage& stage, std::int32_t i, std::uint32_t segment, StepIndex kind) const {
    return (static_cast<std::uint32_t>(i - 1) * stage.segments + segment) * 2 + kind;
  }
  StepIndex index(std::uint32_t round, std::int32_t i, std::uint32_t segment,
                  StepIndex kind) const {
    return round * width_ + slot(stages_[stage_of(round)], i, segment, kind);
  }
  std::uint32_t stage_of(std::uint32_t round) const {
    return round < reducing_ ? round : gathering_ - 1 - (round - reducing_);
  }

  /// What `rank` has left after a stage of the reduce-scatter.
  Slice part(Rank rank, std::uint32_t stage) const {
    std::int32_t first = 0;
    for (std::uint32_t k = 0; k <= stage; ++k)
      first += stages_[k].digit_of(rank) * stages_[k].span;
    return chunks(first, stages_[stage].span);
  }
  Slice chunks(std::int32_t first, std::int32_t count) const {
    const std::uint64_t begin = chunk_of(data_, first, ranks_).first;
    return {data_.buffer, begin, chunk_of(data_, first + count - 1, ranks_).end() - begin};
  }

  // A rank sends when all is there that the round before added up, not segment by segment: two
  // rounds' messages, to different ranks, would hold each other up.
  void reduce(Rank rank, std::uint32_t round, std::span<Step> slots) const {
    const Stage& stage = stages_[round];
    const Segments arriving(part(rank, round), largest_);
    for (std::int32_t i = 1; i < stage.radix; ++i) {
      const Rank to = stage.peer(rank, i);
      const Segments leaving(part(to, round), largest_);
      for (std::uint32_t s = 0; s < leaving.size(); ++s) {
        Step& send = slots[slot(stage, i, s, kSend)];
        send = send_to(to, leaving[s], stream_);
        if (round > 0) wait_for_sum(rank, round, part(rank, round - 1), send);
      }
      for (std::uint32_t s = 0; s < arriving.size(); ++s) {
        Step& receive = slots[slot(stage, i, s, kReceive)];
        receive = receive_from(stage.peer(rank, -i), arriving[s], Operator::Sum, stream_);
        if (i > 1)
          receive.wait_for(index(round, i - 1, s, kReceive));
        else
          wait_for_sum(rank, round, arriving[s], receive);
      }
    }
  }

  /// The step of a round waits for the last contribution that the round before adds to `slice`; it
  /// comes after the others, and segments before it on its channel.
  void wait_for_sum(Rank rank, std::uint32_t round, const Slice& slice, Step& step) const {
    if (round == 0) return;
    const Segments sums(part(rank, round - 1), largest_);
    if (const auto segment = sums.last_touching(slice))
      step.wait_for(index(round - 1, stages_[round - 1].radix - 1, *segment, kReceive));
  }

  void gather(Rank rank, std::uint32_t round, std::span<Step> slots) const {
    const std::uint32_t number = stage_of(round);
    const Stage& stage = stages_[number];
    const Segments leaving(part(rank, number), largest_);
    const LastThree gathered = receives_before(rank, round);
    LastThree receives;
    for (std::int32_t i = 1; i < stage.radix; ++i) {
      for (std::uint32_t s = 0; s < leaving.size(); ++s) {
        Step& send = slots[slot(stage, i, s, kSend)];
        send = send_to(stage.peer(rank, i), leaving[s], stream_);
        if (round == reducing_)
          wait_for_sum(rank, round, leaving[s], send);
        else
          gathered.make_wait(send);
      }
      const Rank from = stage.peer(rank, -i);
      const Segments arriving(part(from, number), largest_);
      for (std::uint32_t s = 0; s < arriving.size(); ++s) {
        Step& receive = slots[slot(stage, i, s, kReceive)];
        receive = receive_from(from, arriving[s], Operator::Replace, stream_);
        // It replaces the partial sums that went there.
        if (reducing_ > 0) receive.wait_for(index(number, stage.radix - i, s, kSend));
        if (s + 1 == arriving.size()) receives.add(receive, index(round, i, s, kReceive));
      }
    }
  }

  /// The receives that end all messages of the round before, one of the all-gather.
  LastThree receives_before(Rank rank, std::uint32_t round) const {
    LastThree receives;
    if (round <= reducing_) return receives;
    const std::uint32_t number = stage_of(round - 1);
    for (std::int32_t i = 1; i < stages_[number].radix; ++i) {
      const Segments arrived(part(stages_[number].peer(rank, -i), number), largest_);
      if (arrived.size() > 0) receives.add(index(round - 1, i, arrived.size() - 1, kReceive));
    }
    return receives;
  }

  Slice data_;
  std::uint8_t stream_;
  std::uint64_t largest_;  // elements of a segment
  std::int32_t ranks_;
  std::vector<Stage> stages_;
  std::uint32_t width_ = 0;      // slots of a round
  std::uint32_t reducing_ = 0;   // rounds of the reduce-scatter
  std::uint32_t gathering_ = 0;  // rounds of the all-gather
};

}  // namespace

std::shared_ptr<const schedule::StepSource> make_exchange(
    const Operation& operation, const std::vector<std::int32_t>& radices) {
  return std::make_shared<Exchange>(operation, radices);
}

Time exchange_closed_form(const Operation& operation, const std::vector<std::int32_t>& radices,
                          const IdealNetwork& network) {
  if (operation.data.count == 0) return {};
  Time time;
  std::int32_t span = operation.ranks;
  for (const std::int32_t radix : radices) {
    span /= radix;
    time += network.message(chunk_of(operation.data, span - 1, operation.ranks).end() -
                            operation.data.first);
  }
  return (operation.collective == Collective::AllReduce ? 2 : 1) * time;
}

}  // namespace lockstep::collectives
