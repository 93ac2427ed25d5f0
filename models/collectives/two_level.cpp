// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/two_level.h"

#include <algorithm>

#include "models/collectives/messages.h"
#include "models/schedule/pieces.h"

namespace lockstep::collectives {

namespace {

using schedule::ceiling_divide;
using schedule::Operator;
using schedule::piece_at;
using schedule::piece_count;
using schedule::piece_of;
using schedule::Segments;
using schedule::Slice;
using schedule::Step;
using schedule::StepIndex;

class TwoLevel final : public schedule::StepSource {
 public:
  TwoLevel(const Operation& operation, Within within)
      : within_(within),
        data_(operation.data),
        stream_(operation.stream),
        largest_(operation.segment_elements) {
    for (Rank rank = 0; rank < operation.ranks; ++rank) {
      const std::int32_t group =
          operation.groups.empty() ? 0 : operation.groups[static_cast<std::size_t>(rank)];
      if (group >= static_cast<std::int32_t>(groups_.size()))
        groups_.resize(static_cast<std::size_t>(group) + 1);
      std::vector<Rank>& members = groups_[static_cast<std::size_t>(group)];
      places_.push_back({group, static_cast<std::int32_t>(members.size())});
      members.push_back(rank);
      shards_ = std::max(shards_, static_cast<std::int32_t>(members.size()));
    }
    segments_ = piece_count(shard(0).count, largest_);
  }

  /// Rounds: size−1 of the reduce-scatter, 2(groups−1) of the ring, size−1 of the all-gather. A
  /// group that talks directly does so in all rounds at one time, or as many as do not swamp
  /// anyone.
  Shape shape(Rank rank) const override {
    const std::int32_t size = size_of(place(rank).group);
    const std::int32_t rounds = 2 * (size - 1) + 2 * (groups() - 1);
    const std::int32_t in_flight = within_ == Within::Direct ? std::clamp(size + 1, 4, 16) : 4;
    return {static_cast<std::uint32_t>(rounds), width(rank), static_cast<std::uint32_t>(in_flight)};
  }

  /// When groups are equally large and made of consecutive ranks, and every chunk is one message.
  schedule::Symmetry symmetry() const override {
    const std::int32_t chunks = shards_ * groups();
    if (segments_ > 1 || data_.count % static_cast<std::uint64_t>(chunks) != 0) return {};
    for (std::size_t rank = 0; rank < places_.size(); ++rank) {
      const auto [group, member] = places_[rank];
      if (size_of(group) != shards_ || static_cast<std::int32_t>(rank) != group * shards_ + member)
        return {};
    }
    return {.radices = {shards_, groups()}};
  }

  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override {
    const std::uint32_t within = rounds_within(rank);
    const std::uint32_t between = rounds_between();
    if (round < within)
      reduce(rank, round, slots);
    else if (round < within + between)
      all_reduce(rank, round - within, slots);
    else
      gather(rank, round - within - between, slots);
  }

 private:
  static constexpr StepIndex kSend = 0, kReceive = 1;

  struct Place {
    std::int32_t group;
    std::int32_t member;  // number within the group
  };
  /// Consecutive shards.
  struct Range {
    std::int32_t first;
    std::int32_t end;
  };

  const Place& place(Rank rank) const { return places_[static_cast<std::size_t>(rank)]; }
  std::int32_t groups() const { return static_cast<std::int32_t>(groups_.size()); }
  std::int32_t size_of(std::int32_t group) const {
    return static_cast<std::int32_t>(groups_[static_cast<std::size_t>(group)].size());
  }
  /// The member of that number, which may run over the ends.
  Rank member(std::int32_t group, std::int32_t number) const {
    const std::int32_t size = size_of(group);
    return groups_[static_cast<std::size_t>(group)]
                  [static_cast<std::size_t>((number + size) % size)];
  }
  std::uint32_t rounds_within(Rank rank) const {
    return static_cast<std::uint32_t>(size_of(place(rank).group) - 1);
  }
  std::uint32_t rounds_between() const { return 2 * static_cast<std::uint32_t>(groups() - 1); }

  Slice shard(std::int32_t number) const {
    return piece_of(data_, static_cast<std::uint64_t>(number), static_cast<std::uint64_t>(shards_));
  }
  Range shards_of(Rank rank) const {
    const std::int64_t member = place(rank).member;
    const std::int64_t size = size_of(place(rank).group);
    return {static_cast<std::int32_t>(member * shards_ / size),
            static_cast<std::int32_t>((member + 1) * shards_ / size)};
  }
  Rank owner(std::int32_t group, std::int32_t shard) const {
    const std::int64_t size = size_of(group);
    return member(group, static_cast<std::int32_t>(((shard + 1) * size - 1) / shards_));
  }

  /// A round has two slots for each segment of each shard that a member of the group may own.
  std::uint32_t width(Rank rank) const {
    const auto size = static_cast<std::uint64_t>(size_of(place(rank).group));
    const auto owned =
        static_cast<std::uint32_t>(ceiling_divide(static_cast<std::uint64_t>(shards_), size));
    return 2 * owned * segments_;
  }
  /// `number` is that of the shard among those of its owner.
  StepIndex slot(std::int32_t number, std::uint32_t segment, StepIndex kind) const {
    return 2 * (static_cast<std::uint32_t>(number) * segments_ + segment) + kind;
  }
  StepIndex index(Rank rank, std::uint32_t round, std::int32_t number, std::uint32_t segment,
                  StepIndex kind) const {
    return round * width(rank) + slot(number, segment, kind);
  }

  // Directly, in round t = 0, 1, … of the reduce-scatter a member sends to the one t+1 further the
  // shards of that one, and receives its own from the one t+1 before; sums are added in that order.
  // In a ring it sends what the round before completed: the shards of the member t+1 before.
  void reduce(Rank rank, std::uint32_t round, std::span<Step> slots) const {
    const auto [group, self] = place(rank);
    const auto t = static_cast<std::int32_t>(round);
    const bool direct = within_ == Within::Direct;
    const Rank to = member(group, direct ? self + t + 1 : self + 1);
    const Rank from = member(group, direct ? self - t - 1 : self - 1);
    for_segments(direct ? to : member(group, self - t - 1),
                 [&](std::int32_t n, std::uint32_t s, const Slice& segment) {
                   Step& send = slots[slot(n, s, kSend)];
                   send = send_to(to, segment, stream_);
                   if (!direct && t > 0) send.wait_for(index(rank, round - 1, n, s, kReceive));
                 });
    for_segments(direct ? rank : member(group, self - t - 2),
                 [&](std::int32_t n, std::uint32_t s, const Slice& segment) {
                   Step& receive = slots[slot(n, s, kReceive)];
                   receive = receive_from(from, segment, Operator::Sum, stream_);
                   if (direct && t > 0) receive.wait_for(index(rank, round - 1, n, s, kReceive));
                 });
  }

  // The ring of each shard, as in ring.cpp: chunks are numbered like the groups.
  void all_reduce(Rank rank, std::uint32_t round, std::span<Step> slots) const {
    const std::int32_t group = place(rank).group;
    const std::int32_t last = groups() - 1;
    const auto t = static_cast<std::int32_t>(round);
    const bool gathers = t >= last;
    const std::int32_t sent = gathers ? group - (t - last) : group - 1 - t;
    const std::uint32_t before = rounds_within(rank) + round - 1;
    const Range own = shards_of(rank);
    for (std::int32_t n = 0; n < own.end - own.first; ++n) {
      const std::int32_t shard = own.first + n;
      const Segments leaving(chunk(shard, sent), largest_);
      for (std::uint32_t s = 0; s < leaving.size(); ++s) {
        Step& send = slots[slot(n, s, kSend)];
        send = send_to(owner(group == last ? 0 : group + 1, shard), leaving[s], stream_);
        if (round > 0)
          send.wait_for(index(rank, before, n, s, kReceive));
        else
          wait_for_reduced(rank, n, leaving[s], send);
      }
      const Segments arriving(chunk(shard, sent - 1), largest_);
      for (std::uint32_t s = 0; s < arriving.size(); ++s) {
        Step& receive = slots[slot(n, s, kReceive)];
        receive = receive_from(owner(group == 0 ? last : group - 1, shard), arriving[s],
                               gathers ? Operator::Replace : Operator::Sum, stream_);
        if (gathers)  // replaces the partial sums that went there
          receive.wait_for(index(rank, before + 1 - static_cast<std::uint32_t>(last), n, s, kSend));
        else
          wait_for_reduced(rank, n, arriving[s], receive);
      }
    }
  }
  Slice chunk(std::int32_t shard_number, std::int32_t number) const {
    return chunk_of(shard(shard_number), (number + groups()) % groups(), groups());
  }

  // Directly, in round t a member sends its own shards to the one t+1 further; in a ring those that
  // it received in the round before to the next one. Either way those of the member t+1 before
  // arrive, in place of partial sums that were sent in the reduce-scatter.
  void gather(Rank rank, std::uint32_t round, std::span<Step> slots) const {
    const auto [group, self] = place(rank);
    const auto t = static_cast<std::int32_t>(round);
    const bool direct = within_ == Within::Direct;
    const std::uint32_t first = rounds_within(rank) + rounds_between();
    const Rank to = member(group, direct ? self + t + 1 : self + 1);
    for_segments(direct ? rank : member(group, self - t),
                 [&](std::int32_t n, std::uint32_t s, const Slice& segment) {
                   Step& send = slots[slot(n, s, kSend)];
                   send = send_to(to, segment, stream_);
                   if (direct || t == 0)
                     wait_for_result(rank, n, segment, send);
                   else
                     send.wait_for(index(rank, first + round - 1, n, s, kReceive));
                 });
    const Rank from = member(group, direct ? self - t - 1 : self - 1);
    const std::uint32_t sent_in = direct ? rounds_within(rank) - 1 - round : round;
    for_segments(member(group, self - t - 1),
                 [&](std::int32_t n, std::uint32_t s, const Slice& segment) {
                   Step& receive = slots[slot(n, s, kReceive)];
                   receive = receive_from(from, segment, Operator::Replace, stream_);
                   receive.wait_for(index(rank, sent_in, n, s, kSend));
                 });
  }

  /// Calls visit(n, s, slice) for segment s of the n-th of the shards that `of` owns.
  template <typename Visit>
  void for_segments(Rank of, Visit visit) const {
    const Range range = shards_of(of);
    for (std::int32_t number = range.first; number < range.end; ++number) {
      const Segments segments(shard(number), largest_);
      for (std::uint32_t s = 0; s < segments.size(); ++s)
        visit(number - range.first, s, segments[s]);
    }
  }

  /// The step waits until `slice` of the rank's n-th shard is summed over the group: for the
  /// receive that adds the last contribution, and those before it on its channel.
  void wait_for_reduced(Rank rank, std::int32_t n, const Slice& slice, Step& step) const {
    const std::uint32_t rounds = rounds_within(rank);
    if (rounds == 0) return;
    const Segments sums(shard(shards_of(rank).first + n), largest_);
    step.wait_for(index(rank, rounds - 1, n, sums.last_touching(slice).value(), kReceive));
  }

  /// The step waits until `slice` of the rank's n-th shard is summed over all. The chunks that the
  /// ring brings arrive in the order group−1, group−2, …, after the rank's own is complete: so, in
  /// that order, the last of those that the slice touches is what to wait for.
  void wait_for_result(Rank rank, std::int32_t n, const Slice& slice, Step& step) const {
    if (groups() == 1) return wait_for_reduced(rank, n, slice, step);
    const std::int32_t group = place(rank).group;
    const std::int32_t shard_number = shards_of(rank).first + n;
    const auto chunk_at = [&](std::uint64_t element) {
      const Slice whole = shard(shard_number);
      return static_cast<std::int32_t>(
          piece_at(whole.count, element - whole.first, static_cast<std::uint64_t>(groups())));
    };
    const std::int32_t first = chunk_at(slice.first);
    const bool touches_next = first <= group && group < chunk_at(slice.end() - 1);
    const std::int32_t latest = touches_next ? group + 1 : first;
    const std::int32_t round =
        latest == group ? groups() - 2 : groups() - 1 + (group - 1 - latest + groups()) % groups();
    const Segments arrived(chunk(shard_number, latest), largest_);
    step.wait_for(index(rank, rounds_within(rank) + static_cast<std::uint32_t>(round), n,
                        arrived.last_touching(slice).value(), kReceive));
  }

  Within within_;
  Slice data_;
  std::uint8_t stream_;
  std::uint64_t largest_;  // elements of a segment
  std::vector<std::vector<Rank>> groups_;
  std::vector<Place> places_;  // by rank
  std::int32_t shards_ = 0;
  std::uint32_t segments_ = 1;  // of the largest shard
};

}  // namespace

std::shared_ptr<const schedule::StepSource> make_two_level(const Operation& operation,
                                                           Within within) {
  return std::make_shared<TwoLevel>(operation, within);
}

}  // namespace lockstep::collectives
