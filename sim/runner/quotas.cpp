// SPDX-License-Identifier: Apache-2.0
#include "sim/runner/quotas.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/base/random.h"
#include "models/cost/turns.h"

namespace lockstep::sim {

namespace {

constexpr Time kTick = cost::kKernelTick;
/// What a group has to be paid beyond its debt.
constexpr double kLeast = 1e-9;

}  // namespace

std::uint32_t Quotas::add(std::uint32_t resource, double cores, Time period) {
  constexpr std::uint64_t kStream = 0x71756f7461730000;  // none that ranks draw from
  Random random(seed_, kStream, quotas_.size());
  const auto below = [&](Time time) {
    return Time{
        static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(time.picoseconds)))};
  };
  fluid_.meter(resource);
  quotas_.push_back({.resource = resource,
                     .per_period = cores * period.seconds(),
                     .period = period,
                     .period_phase = below(period) - period,
                     .tick_phase = below(kTick),
                     .pauses_until = {}});
  Quota& quota = quotas_.back();
  quota.pool = quota.per_period;
  quota.filled_period = period_at(quota, queue_.now());
  return static_cast<std::uint32_t>(quotas_.size() - 1);
}

void Quotas::refill(Quota& quota) {
  const std::int64_t now = period_at(quota, queue_.now());
  if (now > quota.filled_period) quota.pool = quota.per_period;
  quota.filled_period = now;
}

void Quotas::await_tick(std::uint32_t number) {
  Quota& quota = quotas_[number];
  const std::int64_t passed =
      (queue_.now() - quota.tick_phase + kTick).picoseconds / kTick.picoseconds;
  queue_.push(quota.tick_phase + Time{passed * kTick.picoseconds}, tick_, number);
  quota.ticks = true;
}

void Quotas::wake(std::uint32_t number) {
  Quota& quota = quotas_[number];
  if (!quota.ticks && quota.pauses_until <= queue_.now()) await_tick(number);
}

void Quotas::charge(std::uint32_t number, Time duration) {
  quotas_[number].charged += duration.seconds();
  wake(number);
}

Time Quotas::runs_at(std::uint32_t number) const {
  return std::max(queue_.now(), quotas_[number].pauses_until);
}

void Quotas::tick(std::uint32_t number) {
  Quota& quota = quotas_[number];
  quota.ticks = false;
  const double used = fluid_.used(quota.resource);
  const double ran = used - quota.seen + std::exchange(quota.charged, 0.0);
  quota.seen = used;
  refill(quota);
  if (ran <= 0) return;  // until it wakes
  quota.taken -= ran;
  if (quota.taken <= 0) {
    const double more = std::min(quota.pool, cost::kQuotaSlice - quota.taken);
    quota.pool -= more;
    quota.taken += more;
  }
  if (quota.taken > 0) return await_tick(number);
  const double owed = kLeast - quota.taken;
  const double periods = std::ceil(owed / quota.per_period);
  quota.pool = periods * quota.per_period - owed;
  quota.taken = kLeast;
  quota.filled_period += static_cast<std::int64_t>(periods);
  quota.pauses_until = quota.period_phase + Time{quota.filled_period * quota.period.picoseconds};
  fluid_.set_left(quota.resource, 0);
  queue_.push(quota.pauses_until, opens_, number);
}

void Quotas::open(std::uint32_t number) {
  fluid_.set_left(quotas_[number].resource, 1);
  await_tick(number);
}

}  // namespace lockstep::sim
