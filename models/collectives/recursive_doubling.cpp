// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/recursive_doubling.h"

#include <bit>

#include "models/schedule/pieces.h"

namespace lockstep::collectives {

namespace {

using schedule::Operator;
using schedule::piece_count;
using schedule::Slice;
using schedule::Step;
using schedule::StepIndex;
using schedule::Verb;

class RecursiveDoubling final : public schedule::StepSource {
 public:
  explicit RecursiveDoubling(const Operation& operation)
      : data_(operation.data),
        scratch_(operation.scratch),
        stream_(operation.stream),
        segments_(piece_count(data_.count, operation.segment_elements)),
        power_(
            static_cast<std::int32_t>(std::bit_floor(static_cast<std::uint32_t>(operation.ranks)))),
        folded_(operation.ranks - power_),
        doublings_(
            static_cast<std::uint32_t>(std::bit_width(static_cast<std::uint32_t>(power_)) - 1)) {}

  Shape shape(Rank) const override {
    return {doublings_ + (folded_ > 0 ? 2 : 0), 3 * segments_, 2};
  }

  schedule::Symmetry symmetry() const override {
    if (folded_ > 0) return {};
    return {.radices = std::vector<std::int32_t>(doublings_, 2)};
  }

  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override {
    const std::uint32_t fold_rounds = folded_ > 0 ? 1 : 0;
    const bool is_folded = rank < 2 * folded_;
    const bool sits_out = is_folded && rank % 2 == 0;
    for (std::uint32_t segment = 0; segment < segments_; ++segment) {
      if (piece_of(data_, segment, segments_).count == 0) continue;
      const std::span<Step> three = slots.subspan(3 * segment, 3);
      if (round < fold_rounds) {
        if (sits_out)
          send(three, rank + 1, segment);
        else if (is_folded)
          receive_in_place(three, rank - 1, segment, Operator::Sum);
      } else if (round < fold_rounds + doublings_) {
        if (!sits_out) exchange(three, rank, round, segment);
      } else if (sits_out) {
        receive_in_place(three, rank + 1, segment, Operator::Replace);
        three[kReceive].wait_for(index(0, segment, kSend));
      } else if (is_folded) {
        send(three, rank - 1, segment);
        three[kSend].wait_for(index(round - 1, segment, kCombine));
      }
    }
  }

 private:
  // The three slots of a segment in a round.
  static constexpr std::uint32_t kSend = 0, kReceive = 1, kCombine = 2;

  StepIndex index(std::uint32_t round, std::uint32_t segment, std::uint32_t slot) const {
    return (round * segments_ + segment) * 3 + slot;
  }
  void send(std::span<Step> three, Rank to, std::uint32_t segment) const {
    three[kSend] = {.verb = Verb::Send,
                    .stream = stream_,
                    .target = to,
                    .from = piece_of(data_, segment, segments_)};
  }
  void receive_in_place(std::span<Step> three, Rank from, std::uint32_t segment,
                        Operator combine) const {
    three[kReceive] = {.verb = Verb::Recv,
                       .combine = combine,
                       .stream = stream_,
                       .target = from,
                       .into = piece_of(data_, segment, segments_)};
  }

  /// Sends the own data once the round before has added to them, receives the partner's into
  /// scratch once the round before has used it, and adds when both have happened.
  void exchange(std::span<Step> three, Rank rank, std::uint32_t round,
                std::uint32_t segment) const {
    const std::uint32_t fold_rounds = folded_ > 0 ? 1 : 0;
    const Rank partner = real(virtual_of(rank) ^ (1 << (round - fold_rounds)));
    const Slice arriving = piece_of(scratch_.part(0, data_.count), segment, segments_);
    send(three, partner, segment);
    three[kReceive] = {.verb = Verb::Recv, .stream = stream_, .target = partner, .into = arriving};
    three[kCombine] = {.verb = Verb::Combine,
                       .combine = Operator::Sum,
                       .from = arriving,
                       .into = piece_of(data_, segment, segments_)};
    if (round > 0) {
      const bool after_fold = round == fold_rounds;
      three[kSend].wait_for(index(round - 1, segment, after_fold ? kReceive : kCombine));
      if (!after_fold) three[kReceive].wait_for(index(round - 1, segment, kCombine));
    }
    three[kCombine].wait_for(index(round, segment, kSend));
    three[kCombine].wait_for(index(round, segment, kReceive));
  }

  /// The number of a rank among the 2^⌊lg p⌋ that take part in the doubling, and back.
  std::int32_t virtual_of(Rank rank) const {
    return rank < 2 * folded_ ? rank / 2 : rank - folded_;
  }
  Rank real(std::int32_t number) const {
    return number < folded_ ? 2 * number + 1 : number + folded_;
  }

  Slice data_;
  Slice scratch_;
  std::uint8_t stream_;
  std::uint32_t segments_;
  std::int32_t power_;   // 2^⌊lg p⌋
  std::int32_t folded_;  // p − power
  std::uint32_t doublings_;
};

}  // namespace

std::shared_ptr<const schedule::StepSource> make_recursive_doubling(const Operation& operation) {
  return std::make_shared<RecursiveDoubling>(operation);
}

Time recursive_doubling_closed_form(const Operation& operation, const IdealNetwork& network) {
  if (operation.data.count == 0) return {};
  const auto p = static_cast<std::uint32_t>(operation.ranks);
  const std::uint32_t power = std::bit_floor(p);
  const std::uint32_t folded = p - power;
  const int rounds =
      std::bit_width(power) - 1 + (folded > 0 ? 1 : 0) + (2 * folded > power ? 1 : 0);
  return rounds * network.message(operation.data.count);
}

}  // namespace lockstep::collectives
