// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/halving_doubling.h"

#include <bit>
#include <optional>

#include "models/collectives/exchange.h"
#include "models/collectives/messages.h"
#include "models/schedule/pieces.h"

namespace lockstep::collectives {

namespace {

using schedule::ceiling_divide;
using schedule::Operator;
using schedule::piece_count;
using schedule::Segments;
using schedule::Slice;
using schedule::Step;
using schedule::StepIndex;

/// The messages that blocks travel in: segments of them up to the end of the data, then segments of
/// those from its beginning on.
class Arc {
 public:
  Arc(const Slice& before_end, const Slice& from_beginning, std::uint64_t largest)
      : parts_{Segments(before_end, largest), Segments(from_beginning, largest)} {}

  std::uint32_t size() const { return parts_[0].size() + parts_[1].size(); }
  Slice operator[](std::uint32_t index) const {
    return index < parts_[0].size() ? parts_[0][index] : parts_[1][index - parts_[0].size()];
  }
  std::optional<std::uint32_t> last_touching(const Slice& slice) const {
    if (const auto index = parts_[1].last_touching(slice)) return parts_[0].size() + *index;
    return parts_[0].last_touching(slice);
  }

 private:
  Segments parts_[2];
};

/// Of a power-of-two p too, though wrapped blocks make more messages than an exchange.
class Circulant final : public schedule::StepSource {
 public:
  explicit Circulant(const Operation& operation)
      : ranks_(operation.ranks),
        data_(operation.data),
        stream_(operation.stream),
        largest_(operation.segment_elements) {
    for (std::int32_t left = ranks_; left > 1; left -= left / 2)
      left_.push_back(left);
    const auto halvings = static_cast<std::uint32_t>(left_.size());
    reducing_ = operation.collective == Collective::AllGather ? 0 : halvings;
    gathering_ = operation.collective == Collective::ReduceScatter ? 0 : halvings;
    const std::uint64_t most = ceiling_divide(data_.count, static_cast<std::uint64_t>(ranks_)) *
                               static_cast<std::uint64_t>(ranks_ / 2);
    messages_ = piece_count(most, largest_) + 1;  // one more where they wrap around
  }

  Shape shape(Rank) const override {
    // Two rounds: receives are posted one round ahead, and what is two rounds back is complete.
    return {reducing_ + gathering_, 2 * messages_, 2};
  }

  // A rank sends what it needs the round before for when that round is over, not segment by
  // segment: two rounds' messages, to different ranks, would hold each other up.
  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override {
    const bool reduces = round < reducing_;
    const std::int32_t kept = kept_in(round);
    const Rank after = (rank + kept) % ranks_;
    const Rank before = (rank - kept + ranks_) % ranks_;
    const Arc leaving = blocks(rank, leaving_in(round));
    const std::optional<StepIndex> needed = last_needed(rank, round);
    for (std::uint32_t m = 0; m < leaving.size(); ++m) {
      Step& send = slots[2 * m];
      send = send_to(reduces ? after : before, leaving[m], stream_);
      if (needed) send.wait_for(*needed);
    }
    const Arc arriving = blocks(rank, arriving_in(round));
    for (std::uint32_t m = 0; m < arriving.size(); ++m) {
      Step& receive = slots[2 * m + 1];
      receive = receive_from(reduces ? before : after, arriving[m],
                             reduces ? Operator::Sum : Operator::Replace, stream_);
      if (reduces && round > 0) {  // adds to what the round before added to
        const Arc sums = blocks(rank, arriving_in(round - 1));
        receive.wait_for(receive_index(round - 1, sums.last_touching(arriving[m]).value()));
      } else if (!reduces && reducing_ > 0) {  // replaces the partial sums that went there
        receive.wait_for(2 * (halving_of(round) * messages_ + m));
      }
    }
  }

 private:
  /// Consecutive blocks of a rank.
  struct Range {
    std::int32_t first;
    std::int32_t end;
  };

  std::uint32_t halving_of(std::uint32_t round) const {
    return round < reducing_ ? round : gathering_ - 1 - (round - reducing_);
  }

  std::int32_t kept_in(std::uint32_t round) const {
    const std::int32_t left = left_[halving_of(round)];
    return left - left / 2;
  }
  Range leaving_in(std::uint32_t round) const {
    const std::int32_t left = left_[halving_of(round)];
    return round < reducing_ ? Range{kept_in(round), left} : Range{0, left / 2};
  }
  Range arriving_in(std::uint32_t round) const {
    const std::int32_t left = left_[halving_of(round)];
    return round < reducing_ ? Range{0, left / 2} : Range{kept_in(round), left};
  }
  StepIndex receive_index(std::uint32_t round, std::uint32_t message) const {
    return 2 * (round * messages_ + message) + 1;
  }

  /// The receive that ends the round before, if blocks arrive there that leave in this one. Those
  /// before it on its channel are complete then too.
  std::optional<StepIndex> last_needed(Rank rank, std::uint32_t round) const {
    if (round == 0) return std::nullopt;
    const Range leave = leaving_in(round);
    const Range arrived = arriving_in(round - 1);
    if (leave.end <= arrived.first || arrived.end <= leave.first) return std::nullopt;
    const std::uint32_t messages = blocks(rank, arrived).size();
    if (messages == 0) return std::nullopt;
    return receive_index(round - 1, messages - 1);
  }

  /// What the blocks travel in.
  Arc blocks(Rank rank, const Range& range) const {
    const std::int32_t begin = rank + range.first;
    const std::int32_t end = rank + range.end;
    return {chunks(std::min(begin, ranks_), std::min(end, ranks_)),
            chunks(std::max(begin, ranks_) - ranks_, std::max(end, ranks_) - ranks_), largest_};
  }
  Slice chunks(std::int32_t first, std::int32_t end) const {
    if (first == end) return data_.part(0, 0);
    const std::uint64_t begin = chunk_of(data_, first, ranks_).first;
    return {data_.buffer, begin, chunk_of(data_, end - 1, ranks_).end() - begin};
  }

  std::int32_t ranks_;
  Slice data_;
  std::uint8_t stream_;
  std::uint64_t largest_;           // elements of a segment
  std::vector<std::int32_t> left_;  // blocks before each halving
  std::uint32_t reducing_;          // rounds of the reduce-scatter
  std::uint32_t gathering_;         // rounds of the all-gather
  std::uint32_t messages_;          // in a round, each way, at most
};

bool is_power_of_two(std::int32_t ranks) {
  return std::has_single_bit(static_cast<std::uint32_t>(ranks));
}

std::vector<std::int32_t> twos(std::int32_t ranks) {
  return std::vector<std::int32_t>(
      static_cast<std::size_t>(std::countr_zero(static_cast<std::uint32_t>(ranks))), 2);
}

}  // namespace

std::shared_ptr<const schedule::StepSource> make_halving_doubling(const Operation& operation) {
  if (is_power_of_two(operation.ranks)) return make_exchange(operation, twos(operation.ranks));
  return std::make_shared<Circulant>(operation);
}

Time halving_doubling_closed_form(const Operation& operation, const IdealNetwork& network) {
  if (operation.data.count == 0) return {};
  if (is_power_of_two(operation.ranks))
    return exchange_closed_form(operation, twos(operation.ranks), network);
  const std::uint64_t chunk = chunk_of(operation.data, 0, operation.ranks).count;
  Time time;
  for (std::int32_t left = operation.ranks; left > 1; left -= left / 2)
    if (left != 3) time += network.message(static_cast<std::uint64_t>(left / 2) * chunk);
  return (operation.collective == Collective::AllReduce ? 2 : 1) * time;
}

}  // namespace lockstep::collectives
