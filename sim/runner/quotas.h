// SPDX-License-Identifier: Apache-2.0
// Hosts whose processors come with a quota: their threads run, and pause, as Linux has it.
#pragma once

#include <cstdint>
#include <vector>

#include "models/base/units.h"
#include "sim/engine/event_queue.h"
#include "sim/network/fluid.h"

namespace lockstep::sim {

/// A control group's threads run at full speed until the kernel finds at its timer's tick that the
/// period's processor time is used up, and pause until later periods have paid for what they took
/// beyond it (CFS bandwidth control: Turner, Rao and Rao 2010). So work that is shorter than a tick
/// never pauses, and what follows it may have to wait. What is not used of a period is lost. When
/// ticks and periods come is chance, for each group by itself.
class Quotas {
 public:
  /// Both must outlive the Quotas. An event of `tick_kind`, `opens_kind` is for tick(), open().
  Quotas(EventQueue& queue, Fluid& fluid, std::uint8_t tick_kind, std::uint8_t opens_kind,
         std::uint64_t seed)
      : queue_(queue), fluid_(fluid), tick_(tick_kind), opens_(opens_kind), seed_(seed) {}

  /// Of what uses the resource, in seconds of processors: `cores` × `period` in each period.
  /// Numbered 0, 1, ….
  std::uint32_t add(std::uint32_t resource, double cores, Time period);
  /// Something of the group may be about to run.
  void wake(std::uint32_t quota);
  /// The group runs for so long besides what the resource is used.
  void charge(std::uint32_t quota, Time duration);
  /// When the group runs: now, or after its pause.
  Time runs_at(std::uint32_t quota) const;

  void tick(std::uint32_t quota);
  void open(std::uint32_t quota);

 private:
  struct Quota {
    std::uint32_t resource = 0;
    double per_period = 0;  // seconds
    Time period;
    Time period_phase;  // the remainder of the times at which periods begin
    Time tick_phase;
    double pool = 0;                 // seconds that are left in this period
    double taken = 0;                // from the pool, and not yet used; below 0: owed
    double seen = 0;                 // of what the resource was used
    double charged = 0;              // besides that, since it was looked at
    std::int64_t filled_period = 0;  // number of the one for which the pool was filled
    Time pauses_until;
    bool ticks = false;
  };

  std::int64_t period_at(const Quota& quota, Time time) const {
    return (time - quota.period_phase).picoseconds / quota.period.picoseconds;
  }
  void refill(Quota& quota);
  void await_tick(std::uint32_t quota);

  EventQueue& queue_;
  Fluid& fluid_;
  std::uint8_t tick_;
  std::uint8_t opens_;
  std::uint64_t seed_;
  std::vector<Quota> quotas_;
};

}  // namespace lockstep::sim
