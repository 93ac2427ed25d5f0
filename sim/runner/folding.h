// SPDX-License-Identifier: Apache-2.0
// Ranks, hosts and links that are alike: one of them is simulated for all.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "models/base/ids.h"
#include "models/cost/cost_model.h"
#include "models/schedule/schedule.h"
#include "models/topology/topology.h"

namespace lockstep::sim {

/// A group of renumberings of the ranks that leave programs, hosts, links and costs what they are.
/// The ranks have digits (schedule::Symmetry), and the group adds multiples of some number to each;
/// so ranks are alike when their digits are, modulo these numbers. As nothing but chance, which
/// means nothing (see Run::run), tells the ranks of a class apart, what happens to one of them
/// happens to all at the same time. Of each class the rank with the least digits is simulated, and
/// of the messages between ranks those that it sends.
class Folding {
 public:
  /// Nothing is folded.
  explicit Folding(std::int32_t ranks) : simulated_(ranks) {}
  /// The largest such group that the schedule's symmetry and the network allow. Routes must follow
  /// the mapping of the network: they do where flows are split, and where there is only one
  /// shortest path for each message. Links with a burst, for which flows compete in turn, are not
  /// folded, nor are quotas, whose periods begin by chance, nor polled messages, for which
  /// processors are given away in turn.
  static Folding find(const schedule::Schedule& schedule, const cost::CostModel& cost,
                      const topology::Topology& topology, std::span<const HostId> host_of_rank);

  /// How many ranks each simulated one stands for, itself included.
  std::int32_t copies() const { return copies_; }
  bool is_trivial() const { return copies_ == 1; }
  std::int32_t simulated_ranks() const { return simulated_; }

  /// The simulated ranks are numbered 0, 1, …: the number of the one that stands for `rank`, and
  /// the rank with that number.
  std::int32_t place(Rank rank) const { return is_trivial() ? rank : place_by_digits(rank); }
  Rank rank_at(std::int32_t place) const;
  /// The pair of ranks, the first of them simulated, that stands for this one.
  std::pair<Rank, Rank> like(Rank sender, Rank receiver) const {
    return is_trivial() ? std::pair{sender, receiver} : like_by_digits(sender, receiver);
  }
  HostId like_host(HostId host) const { return is_trivial() ? host : hosts_.of(host); }
  LinkId like_link(LinkId link) const { return is_trivial() ? link : links_.of(link); }
  /// Where one activity of each rank of a class meets its copies: how many on one host, one link.
  std::uint32_t meeting_at_host(HostId host) const {
    return is_trivial() ? 1 : hosts_.meeting(host);
  }
  std::uint32_t meeting_on_link(LinkId link) const {
    return is_trivial() ? 1 : links_.meeting(link);
  }

 private:
  struct Digit {
    std::int32_t radix = 1;
    std::int32_t stride = 1;
    std::int32_t turn = 1;  // what is added is a multiple of it

    std::int32_t of(Rank rank) const { return rank / stride % radix; }
  };
  /// Which things are alike: the first of each class stands for it.
  class Classes {
   public:
    explicit Classes(std::size_t count = 0);
    void join(std::int32_t a, std::int32_t b);
    void finish(std::int32_t copies);
    std::int32_t of(std::int32_t thing) const { return first_[static_cast<std::size_t>(thing)]; }
    std::uint32_t meeting(std::int32_t thing) const {
      return meeting_[static_cast<std::size_t>(of(thing))];
    }

   private:
    std::int32_t root(std::int32_t thing);
    std::vector<std::int32_t> first_;
    std::vector<std::uint32_t> meeting_;
  };
  class Finder;

  std::int32_t place_by_digits(Rank rank) const;
  std::pair<Rank, Rank> like_by_digits(Rank sender, Rank receiver) const;

  std::int32_t copies_ = 1;
  std::int32_t simulated_;
  std::vector<Digit> digits_;
  Classes hosts_;
  Classes links_;
};

}  // namespace lockstep::sim
