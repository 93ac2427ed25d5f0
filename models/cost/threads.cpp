// SPDX-License-Identifier: Apache-2.0
#include "models/cost/threads.h"

#include <algorithm>
#include <set>

#include "models/cost/cost_model.h"
#include "models/cost/fit.h"

namespace lockstep::cost {

namespace {

double between(double a, double b, double share) {
  return a + share * (b - a);
}

/// `share` of the way from one thread count to the next.
LayerCost interpolated(const LayerCost& low, const LayerCost& high, std::int32_t threads) {
  const double share = static_cast<double>(threads - low.threads) / (high.threads - low.threads);
  LayerCost cost = low;
  cost.threads = threads;
  cost.memory_bytes_per_unit =
      between(low.memory_bytes_per_unit, high.memory_bytes_per_unit, share);
  std::set<double> units;
  for (const LayerCost* measured : {&low, &high})
    for (const Sample& sample : measured->samples)
      units.insert(sample.units);
  cost.samples.clear();
  for (const double at : units)
    cost.samples.push_back(
        {at, 1 / between(1 / low.seconds_of(at), 1 / high.seconds_of(at), share)});
  if (cost.samples.empty())  // written by hand: lines alone
    cost.seconds.per_unit = 1 / between(1 / low.seconds.per_unit, 1 / high.seconds.per_unit, share);
  else
    cost.seconds = fit_line(cost.samples);
  cost.seconds.relative_residual =
      std::max({low.seconds.relative_residual, high.seconds.relative_residual, kUnknownResidual});
  return cost;
}

LayerCost scaled(const LayerCost& nearest, std::int32_t threads) {
  const double factor = static_cast<double>(nearest.threads) / threads;
  LayerCost cost = nearest;
  cost.threads = threads;
  cost.seconds.fixed *= factor;
  cost.seconds.per_unit *= factor;
  for (Sample& sample : cost.samples)
    sample.seconds *= factor;
  cost.seconds.relative_residual = kRooflineSpread;
  return cost;
}

}  // namespace

std::optional<ThreadedCost> cost_with_threads(const Machine& machine, const RowName& row,
                                              std::int32_t threads) {
  const LayerCost* below = nullptr;  // the most threads of those that are not more
  const LayerCost* above = nullptr;  // the fewest of those that are not fewer
  ThreadedCost result;
  for (const LayerCost& measured : machine.layers) {
    if (measured.signature != row.signature || measured.direction != row.direction) continue;
    result.fewest = result.most == 0 ? measured.threads : std::min(result.fewest, measured.threads);
    result.most = std::max(result.most, measured.threads);
    if (measured.threads <= threads && (!below || measured.threads > below->threads))
      below = &measured;
    if (measured.threads >= threads && (!above || measured.threads < above->threads))
      above = &measured;
  }
  if (!below && !above) return std::nullopt;
  if (below == above)
    result.cost = *below;
  else if (below && above)
    result.cost = interpolated(*below, *above, threads);
  else
    result.cost = scaled(below ? *below : *above, threads);
  return result;
}

}  // namespace lockstep::cost
