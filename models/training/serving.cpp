// SPDX-License-Identifier: Apache-2.0
#include "models/training/serving.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "models/collectives/algorithm.h"
#include "models/collectives/messages.h"

namespace lockstep::training {

namespace {

using collectives::receive_from;
using collectives::send_to;
using schedule::After;
using schedule::Lane;
using schedule::Operator;
using schedule::Slice;
using schedule::Step;
using schedule::Verb;

/// Steps that are made one by one, all of them in flight.
class Made final : public schedule::StepSource {
 public:
  using Make = std::function<Step(Rank rank, std::uint32_t index)>;
  Made(std::uint32_t count, Make make) : count_(count), make_(std::move(make)) {}
  Shape shape(Rank) const override { return {count_, 1, std::max(count_, 1u)}; }
  void emit(Rank rank, std::uint32_t round, std::span<Step> slots) const override {
    slots.front() = make_(rank, round);
  }

 private:
  std::uint32_t count_;
  Make make_;
};

std::shared_ptr<const schedule::StepSource> made(std::uint32_t count, Made::Make make) {
  return std::make_shared<Made>(count, std::move(make));
}

/// On the communication lane, where one step on the served parameters runs at a time.
Step compute(std::int32_t row, const Slice& from, const Slice& into) {
  return {.verb = Verb::Compute,
          .lane = Lane::Communication,
          .target = row,
          .from = from,
          .into = into};
}

}  // namespace

Slice shard_of(const Bucket& bucket, std::uint32_t buffer, Rank rank, std::int32_t ranks) {
  return schedule::chunk_of({buffer, bucket.first, bucket.count}, rank, ranks);
}

Serving::Serving(const Job& job, const std::vector<Bucket>& buckets, schedule::Schedule& schedule)
    : job_(job),
      buckets_(buckets),
      schedule_(schedule),
      first_(static_cast<std::uint32_t>(schedule.fragments.size())),
      peers_(static_cast<std::uint32_t>(job.ranks - 1)),
      in_flight_(std::min(static_cast<std::size_t>(job.buckets_in_flight), buckets.size())) {}

Serving::Numbers Serving::numbers_of(std::size_t index) const {
  const std::uint32_t size = 6 + 2 * peers_;
  Numbers of{};
  of.push = first_ + static_cast<std::uint32_t>(index) * size;
  of.own_apply = of.push + 1;
  of.apply = of.own_apply + 1;
  of.applied = of.apply + peers_;
  of.hand_out = of.applied + 1;
  of.take = of.hand_out + peers_;
  of.pull = of.take + 1;
  of.handed_out = of.pull + 1;
  of.end = of.handed_out + 1;
  return of;
}

/// Buckets in flight have a stream for gradients and one for parameters each.
std::uint8_t Serving::stream_of(std::size_t index, bool hands_out) const {
  return static_cast<std::uint8_t>(2 * (index % in_flight_) + (hands_out ? 1 : 0));
}

/// The bucket that had the streams before: of this iteration, or the last one of the one before.
void Serving::wait_for_place(std::size_t index, std::uint32_t fragment,
                             std::vector<After>& after) const {
  const std::uint32_t offset = fragment - numbers_of(index).push;
  if (index >= in_flight_) {
    after.push_back({numbers_of(index - in_flight_).push + offset});
    return;
  }
  const std::size_t last = index + (buckets_.size() - 1 - index) / in_flight_ * in_flight_;
  if (last != index) after.push_back({numbers_of(last).push + offset, After::kWhole, 1});
}

void Serving::add(std::size_t index, const After& ready, const Rows& rows) {
  const Numbers at = numbers_of(index);
  const Bucket bucket = buckets_[index];
  const std::int32_t ranks = job_.ranks;
  const std::uint8_t up = stream_of(index, false), down = stream_of(index, true);
  const auto peer = [ranks](Rank rank, std::uint32_t step) {
    return (rank + 1 + static_cast<Rank>(step)) % ranks;
  };
  const auto own = [bucket, ranks](std::uint32_t buffer, Rank rank) {
    return shard_of(bucket, buffer, rank, ranks);
  };
  const auto bound = [&](std::uint32_t fragment, std::int32_t more, std::vector<After> after) {
    if (is_bounded()) after.push_back({fragment, After::kWhole, *job_.staleness + more});
    return after;
  };
  const std::string name = std::to_string(index);

  std::vector<After> after{ready};
  if (index >= in_flight_) after.push_back({numbers_of(index - in_flight_).push});
  add("push " + name, index,
      made(peers_,
           [=](Rank rank, std::uint32_t step) {
             return send_to(peer(rank, step), own(kGradients, peer(rank, step)), up);
           }),
      after);
  add("apply " + name, index,
      made(1,
           [=](Rank rank, std::uint32_t) {
             return compute(rows.apply, own(kGradients, rank), own(kServed, rank));
           }),
      bound(at.handed_out, 1, {ready}));

  const std::uint64_t box_size = shard_of(bucket, kScratch, 0, ranks).count;
  std::vector<After> applies{{at.own_apply}}, hand_outs{{at.take}};
  for (std::uint32_t p = 0; p < peers_; ++p) {
    applies.push_back({at.apply + p});
    hand_outs.push_back({at.hand_out + p});
  }
  const auto box = [=, first = scratch_](Rank rank, std::uint32_t p) {
    return Slice{kScratch, first + p * box_size, own(kServed, rank).count};
  };
  scratch_ += peers_ * box_size;
  for (std::uint32_t p = 0; p < peers_; ++p) {
    after = bound(at.handed_out, 1, {{at.hand_out + p, After::kWhole, 1}});
    wait_for_place(index, at.apply + p, after);
    add("apply " + name + " of rank +" + std::to_string(p + 1), index,
        made(2,
             [=](Rank rank, std::uint32_t step) {
               if (step == 0)
                 return receive_from(peer(rank, p), box(rank, p), Operator::Replace, up);
               Step apply = compute(rows.apply, box(rank, p), own(kServed, rank));
               apply.wait_for(0);
               return apply;
             }),
        after, true);
  }
  add("applied " + name, index, made(0, {}), applies, true);
  for (std::uint32_t p = 0; p < peers_; ++p) {
    after = bound(at.applied, 0, {{at.apply + p}});
    wait_for_place(index, at.hand_out + p, after);
    add("hand out " + name + " to rank +" + std::to_string(p + 1), index,
        made(2,
             [=](Rank rank, std::uint32_t step) {
               if (step == 0) return compute(rows.hand_out, own(kServed, rank), box(rank, p));
               Step send = send_to(peer(rank, p), box(rank, p), down);
               send.wait_for(0);
               return send;
             }),
        after, true);
  }
  add("take " + name, index,
      made(1,
           [=](Rank rank, std::uint32_t) {
             return compute(rows.hand_out, own(kServed, rank), own(kParameters, rank));
           }),
      bound(at.applied, 0, {{at.own_apply}}));
  after = {ready};
  if (index >= in_flight_) after.push_back({numbers_of(index - in_flight_).pull});
  add("pull " + name, index,
      made(peers_,
           [=](Rank rank, std::uint32_t step) {
             return receive_from(peer(rank, step), own(kParameters, peer(rank, step)),
                                 Operator::Replace, down);
           }),
      after);
  add("handed out " + name, index, made(0, {}), hand_outs, true);
}

void Serving::add(const std::string& name, std::size_t index,
                  std::shared_ptr<const schedule::StepSource> steps, std::vector<After> after,
                  bool own_pace) {
  schedule_.fragments.push_back({.name = name,
                                 .bucket = own_pace ? -1 : static_cast<std::int32_t>(index),
                                 .steps = std::move(steps),
                                 .after = std::move(after),
                                 .own_pace = own_pace});
}

schedule::Schedule gather_served(const Job& job, const std::vector<Bucket>& buckets) {
  schedule::Schedule gather;
  gather.name = "served parameters";
  gather.ranks = job.ranks;
  for (const Bucket& bucket : buckets) {
    const auto number = static_cast<std::uint32_t>(gather.fragments.size());
    const collectives::Operation operation{
        .collective = schedule::Collective::AllGather,
        .ranks = job.ranks,
        .data = {kServed, bucket.first, bucket.count},
        .scratch = {},
        .segment_elements = job.segment_bytes / bytes_of(schedule::ElementType::Float32),
        .groups = {}};
    gather.fragments.push_back(
        {.name = "gather " + std::to_string(number),
         .bucket = static_cast<std::int32_t>(number),
         .steps = make_steps(collectives::Algorithm::Ring, operation),
         .after = number > 0 ? std::vector<After>{{number - 1}} : std::vector<After>{}});
  }
  return gather;
}

std::vector<schedule::Contract> contracts_of_gathering(const std::vector<Bucket>& buckets) {
  std::vector<schedule::Contract> contracts;
  for (const Bucket& bucket : buckets)
    contracts.push_back({.buffer = kServed,
                         .slice = {kServed, bucket.first, bucket.count},
                         .collective = schedule::Collective::AllGather});
  return contracts;
}

schedule::Contract contract_of_serving(const Job& job, std::uint64_t parameters) {
  // Without a bound a third iteration shows that streams and boxes are used again.
  constexpr std::int32_t kEnough = 3;
  const bool bounded = *job.staleness != kUnboundedStaleness;
  return {.buffer = kServed,
          .slice = {kServed, 0, parameters},
          .service = schedule::Service{
              .gradients = kGradients,
              .parameters = kParameters,
              .staleness = *job.staleness,
              .iterations = bounded ? std::max(kEnough, *job.staleness + 2) : kEnough}};
}

}  // namespace lockstep::training
