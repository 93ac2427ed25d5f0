// SPDX-License-Identifier: Apache-2.0
// The shared cost model: what each step asks of the resources of a host and of the network.
// A duration is never an input: `ideal` adds demands up, `flow` lets the steps that run at one time
// share cores, memory bandwidth and links.
#pragma once

#include <cstdint>
#include <vector>

#include "models/base/intra_host.h"
#include "models/compression/codec.h"
#include "models/cost/exchange.h"
#include "models/cost/machine.h"
#include "models/network/network.h"
#include "models/network/work.h"
#include "models/schedule/schedule.h"

namespace lockstep::cost {

/// What a Compute or Combine step asks for when nothing else runs: it lasts `seconds`, keeping
/// `cores` cores busy and moving `memory_bytes` between cache and memory, evenly spread over it.
struct Demand {
  double seconds = 0;
  double cores = 1;
  double memory_bytes = 0;
};

/// What one message asks for. Everything per byte is per payload byte.
struct MessageDemand {
  double send_overhead_seconds = 0;          // on the sender's communication lane, once
  double receive_overhead_seconds = 0;       // on the receiver's communication lane, once
  double send_core_seconds_per_byte = 0;     // on the sender's communication lane and cores
  double receive_core_seconds_per_byte = 0;  // likewise; combining included
  double send_memory_bytes_per_byte = 0;     // on the sender's memory bandwidth
  double receive_memory_bytes_per_byte = 0;
  double latency_seconds = 0;  // of the software; the links add theirs
  /// Up to this many bytes leave before the receiver has posted its Recv; a Send of at most this
  /// size is complete once copied. A larger message waits for its Recv.
  std::uint64_t window_bytes = 0;
};

/// How ranks of one host exchange messages, and through how much memory all of them walk: the
/// buffers of a host's ranks together.
struct WithinHosts {
  IntraHost how = IntraHost::Tcp;
  double working_set_bytes = 0;
};

/// Prices the steps of one job. Pure: the same question has the same answer.
class CostModel {
 public:
  /// `batch_of_rank[r]` is rank r's share of the global batch. `machines[r]` is the machine kind of
  /// rank r's host (pointers outlive the model); `speed[r]` divides its core-seconds.
  CostModel(const network::Network& network, network::WorkTable works,
            std::vector<std::int32_t> batch_of_rank, std::int32_t threads,
            std::vector<const Machine*> machines, std::vector<double> speed,
            WithinHosts within_hosts = {}, std::vector<compression::Group> codes = {});

  /// For schedules without Compute steps (a collective alone): no network, no works. The ranks only
  /// wait for one another, so that their communication threads poll; where it was measured what
  /// that makes of messages within a host, it is used.
  CostModel(std::vector<const Machine*> machines, std::vector<double> speed,
            WithinHosts within_hosts = {});

  Demand compute(Rank rank, std::int32_t work) const;
  Demand combine(Rank rank, std::uint64_t bytes) const;
  /// Of an Encode or Decode step; `is_first`: the first stage of its code.
  Demand coding(Rank rank, const schedule::Step& step, bool is_first) const;
  /// A receive that combines pays for it per byte, as it arrives.
  MessageDemand message(Rank sender, Rank receiver, bool within_host,
                        schedule::Operator combine) const;
  /// Whether messages within the rank's host are priced by polled_message(), not by message().
  bool polls(Rank rank) const;
  /// `since`: so many bytes the host has touched since it touched these, which it may still have in
  /// its caches.
  PolledMessage polled_message(Rank receiver, Nearness nearness, schedule::Operator combine,
                               std::uint64_t bytes, double since) const;
  /// Of a Combine step of a rank that polls.
  Demand polled_combine(Rank rank, std::uint64_t bytes, double since) const;
  /// See turn_seconds() in exchange.h.
  double turn_seconds(Rank rank) const;
  /// A receiver takes messages straight from the sender's memory: they cost the sender nothing, and
  /// are sent when they are received.
  bool takes_directly() const { return within_hosts_.how == IntraHost::SharedMemory; }
  /// Whether every step costs both ranks the same.
  bool are_alike(Rank a, Rank b) const;
  const Machine& machine(Rank rank) const { return *machines_[static_cast<std::size_t>(rank)]; }

  /// Rows that nobody measured and that a roofline prices; rows asked at a batch or with a number
  /// of threads outside the range that was measured. For people: a prediction that rests on them
  /// says so.
  std::vector<std::string> estimated_rows() const;
  std::vector<std::string> extrapolated_rows() const;
  /// Standard deviation ÷ mean of a rank's computing time in one iteration, from the residuals of
  /// the rows it is made of.
  double compute_spread(Rank rank) const;

 private:
  struct Row {
    LayerCost cost;
    std::string name;
    bool measured = false;
    std::string threads_outside;  // for people; empty inside
  };
  /// That work on a row.
  std::int32_t threads_of(const network::Work& work) const {
    return network::is_served(work.kind) ? 1 : threads_;
  }
  double units(Rank rank, std::size_t work) const;
  double walked(double since) const;
  Demand codec_row(Rank rank, const compression::Group& group, const char* direction,
                   const compression::Effort& effort) const;
  void add_copy(Rank rank, const compression::Group& group, Demand& demand) const;
  /// What was measured of exchanges on the rank's host; null where nothing was.
  const ExchangeCosts* exchanges(Rank rank) const;
  /// Of messages to or from the rank.
  MessageCost message_cost(Rank rank, bool within_host) const;

  network::WorkTable works_;
  std::vector<compression::Group> codes_;
  std::vector<std::int32_t> batch_of_rank_;
  WithinHosts within_hosts_;
  std::int32_t threads_ = 1;
  std::vector<const Machine*> machines_;  // of each rank
  std::vector<double> speed_;             // of each rank
  std::vector<const Machine*> kinds_;     // the different ones
  std::vector<std::size_t> kind_of_rank_;
  std::vector<std::vector<Row>> rows_;  // of each kind, of each work
};

/// A roofline is a bound, not a measurement: half of it either way is what we claim to know.
inline constexpr double kRooflineSpread = 0.5;

struct Interval {
  double low = 0;
  double high = 0;
};

/// Where a time lies with 90 % probability that is predicted to be `seconds`, from independent
/// standard deviations.
Interval interval_90(double seconds, std::initializer_list<double> deviations);

}  // namespace lockstep::cost
