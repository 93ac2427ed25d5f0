// SPDX-License-Identifier: Apache-2.0
#include "sim/runner/folding.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "models/topology/routes.h"
#include "models/topology/self_map.h"

namespace lockstep::sim {

Folding::Classes::Classes(std::size_t count) : first_(count) {
  std::iota(first_.begin(), first_.end(), 0);
}

std::int32_t Folding::Classes::root(std::int32_t thing) {
  const auto next = [&](std::int32_t t) -> std::int32_t& {
    return first_[static_cast<std::size_t>(t)];
  };
  while (next(thing) != thing)
    thing = next(thing) = next(next(thing));
  return thing;
}

void Folding::Classes::join(std::int32_t a, std::int32_t b) {
  const std::int32_t i = root(a);
  const std::int32_t j = root(b);
  first_[static_cast<std::size_t>(std::max(i, j))] = std::min(i, j);
}

void Folding::Classes::finish(std::int32_t copies) {
  meeting_.assign(first_.size(), 0);
  for (std::int32_t& first : first_) {
    first = root(first);
    ++meeting_[static_cast<std::size_t>(first)];
  }
  for (std::uint32_t& size : meeting_)
    if (size > 0) size = static_cast<std::uint32_t>(copies) / size;
}

std::int32_t Folding::place_by_digits(Rank rank) const {
  std::int32_t place = 0;
  std::int32_t stride = 1;
  for (const Digit& digit : digits_) {
    place += digit.of(rank) % digit.turn * stride;
    stride *= digit.turn;
  }
  return place;
}

Rank Folding::rank_at(std::int32_t place) const {
  if (is_trivial()) return place;
  Rank rank = 0;
  for (const Digit& digit : digits_) {
    rank += place % digit.turn * digit.stride;
    place /= digit.turn;
  }
  return rank;
}

std::pair<Rank, Rank> Folding::like_by_digits(Rank sender, Rank receiver) const {
  Rank from = 0;
  Rank to = 0;
  for (const Digit& digit : digits_) {
    const std::int32_t own = digit.of(sender);
    const std::int32_t least = own % digit.turn;
    from += least * digit.stride;
    to += (digit.of(receiver) + least - own + digit.radix) % digit.radix * digit.stride;
  }
  return {from, to};
}

class Folding::Finder {
 public:
  Finder(const schedule::Schedule& schedule, const cost::CostModel& cost,
         const topology::Topology& topology, std::span<const HostId> host_of_rank)
      : schedule_(schedule),
        cost_(cost),
        topology_(topology),
        host_of_rank_(host_of_rank),
        folding_(schedule.ranks) {}

  Folding find() {
    if (!may_fold()) return Folding(schedule_.ranks);
    maps_.emplace(topology_);
    folding_.hosts_ = Classes(topology_.hosts.size());
    folding_.links_ = Classes(topology_.links.size());
    for (Digit& digit : folding_.digits_) {
      digit.turn = digit.radix;
      for (std::int32_t turn = 1; turn < digit.radix; ++turn)
        if (digit.radix % turn == 0 && accepts(digit, turn)) {
          digit.turn = turn;
          break;
        }
      folding_.copies_ *= digit.radix / digit.turn;
    }
    folding_.simulated_ = schedule_.ranks / folding_.copies_;
    folding_.hosts_.finish(folding_.copies_);
    folding_.links_.finish(folding_.copies_);
    return folding_.is_trivial() || !has_one_way() ? Folding(schedule_.ranks) : folding_;
  }

 private:
  /// Whether there is anything to look for; the digits, if so.
  bool may_fold() {
    schedule::Symmetry symmetry{.is_full = true};
    for (const schedule::Fragment& fragment : schedule_.fragments)
      symmetry = common(symmetry, fragment.steps->symmetry());
    if (symmetry.is_full) symmetry = {.radices = {schedule_.ranks}};
    std::int32_t stride = 1;
    for (const std::int32_t radix : symmetry.radices) {
      folding_.digits_.push_back({radix, stride, radix});
      stride *= radix;
    }
    const bool has_bursts =
        std::any_of(topology_.links.begin(), topology_.links.end(),
                    [](const topology::Link& link) { return link.burst_bytes > 0; });
    const bool has_quotas =
        std::any_of(topology_.hosts.begin(), topology_.hosts.end(),
                    [](const topology::Host& host) { return host.quota_period > Time{}; });
    std::vector<bool> is_used(topology_.hosts.size());
    bool polls = false;
    for (Rank rank = 0; rank < schedule_.ranks; ++rank) {
      const auto host = static_cast<std::size_t>(host_of_rank_[static_cast<std::size_t>(rank)]);
      polls = polls || (is_used[host] && cost_.polls(rank));
      is_used[host] = true;
    }
    return !symmetry.radices.empty() && topology_.routes.empty() && !has_bursts && !has_quotas &&
           topology_.processors == 0 && !polls;
  }

  /// Whether hosts, links and costs stay what they are when `turn` is added to the digit. If so,
  /// what goes to one another's place is alike.
  bool accepts(const Digit& digit, std::int32_t turn) {
    std::vector<HostId> image(topology_.hosts.size(), -1);
    std::vector<std::int32_t> seen(topology_.hosts.size());
    std::vector<std::int32_t> number(host_of_rank_.size());  // of each rank on its host
    for (std::size_t rank = 0; rank < number.size(); ++rank)
      number[rank] = seen[static_cast<std::size_t>(host_of_rank_[rank])]++;
    for (Rank rank = 0; rank < schedule_.ranks; ++rank) {
      const std::int32_t own = digit.of(rank);
      const Rank to = rank + ((own + turn) % digit.radix - own) * digit.stride;
      const HostId host = host_of_rank_[static_cast<std::size_t>(rank)];
      const HostId host_there = host_of_rank_[static_cast<std::size_t>(to)];
      HostId& known = image[static_cast<std::size_t>(host)];
      if (known >= 0 && known != host_there) return false;
      known = host_there;
      const bool has_sockets = topology_.hosts[static_cast<std::size_t>(host)].sockets > 1;
      if (!cost_.are_alike(rank, to) || (has_sockets && number[static_cast<std::size_t>(rank)] !=
                                                            number[static_cast<std::size_t>(to)]))
        return false;
    }
    for (std::size_t host = 0; host < image.size(); ++host)
      if (image[host] < 0) image[host] = static_cast<HostId>(host);
    const std::optional<topology::SelfMap> map = maps_->extend(image);
    if (!map) return false;
    for (std::size_t host = 0; host < image.size(); ++host)
      folding_.hosts_.join(static_cast<std::int32_t>(host), map->nodes[host]);
    for (std::size_t link = 0; link < map->links.size(); ++link)
      folding_.links_.join(static_cast<std::int32_t>(link), map->links[link]);
    return true;
  }

  /// Whether the route of each message follows from the network alone.
  bool has_one_way() const {
    if (topology_.routing == topology::Routing::Split) return true;
    topology::Routes routes(topology_, topology::Routing::Split, 0);
    std::set<std::pair<HostId, HostId>> known;
    std::vector<schedule::Step> slots;
    for (std::int32_t place = 0; place < folding_.simulated_; ++place) {
      const Rank rank = folding_.rank_at(place);
      for (const schedule::Fragment& fragment : schedule_.fragments) {
        const schedule::StepSource::Shape shape = fragment.steps->shape(rank);
        for (std::uint32_t round = 0; round < shape.rounds; ++round) {
          slots.assign(shape.steps_per_round, {});
          fragment.steps->emit(rank, round, slots);
          for (const schedule::Step& step : slots) {
            if (step.verb != schedule::Verb::Send) continue;
            const HostId from = host_of_rank_[static_cast<std::size_t>(rank)];
            const HostId to = host_of_rank_[static_cast<std::size_t>(step.target)];
            if (!known.emplace(from, to).second) continue;
            for (const topology::Hop& hop : routes.between({.from = from, .to = to}).hops)
              if (hop.share != 1) return false;
          }
        }
      }
    }
    return true;
  }

  const schedule::Schedule& schedule_;
  const cost::CostModel& cost_;
  const topology::Topology& topology_;
  std::span<const HostId> host_of_rank_;
  std::optional<topology::SelfMaps> maps_;
  Folding folding_;
};

Folding Folding::find(const schedule::Schedule& schedule, const cost::CostModel& cost,
                      const topology::Topology& topology, std::span<const HostId> host_of_rank) {
  return Finder(schedule, cost, topology, host_of_rank).find();
}

}  // namespace lockstep::sim
