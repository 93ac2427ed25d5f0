// SPDX-License-Identifier: Apache-2.0
#include "models/cost/exchange.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "models/base/errors.h"

namespace lockstep::cost {

namespace {

using Samples = std::span<const MessageSample>;

MessageSample mix(const MessageSample& a, const MessageSample& b, double share_of_b) {
  const auto between = [&](double x, double y) { return x + share_of_b * (y - x); };
  return {.working_set = between(a.working_set, b.working_set),
          .bytes = between(a.bytes, b.bytes),
          .send_seconds = between(a.send_seconds, b.send_seconds),
          .store_seconds = between(a.store_seconds, b.store_seconds),
          .add_seconds = between(a.add_seconds, b.add_seconds),
          .round_seconds = between(a.round_seconds, b.round_seconds)};
}

/// Of one size of memory.
MessageSample at_bytes(Samples samples, double bytes) {
  if (bytes <= samples.front().bytes) return samples.front();
  const MessageSample& last = samples.back();
  if (bytes >= last.bytes) {
    MessageSample larger = last;
    for (double* seconds :
         {&larger.send_seconds, &larger.store_seconds, &larger.add_seconds, &larger.round_seconds})
      *seconds *= bytes / last.bytes;
    return larger;
  }
  const auto next = std::find_if(samples.begin(), samples.end(),
                                 [&](const MessageSample& s) { return s.bytes > bytes; });
  const MessageSample& before = *std::prev(next);
  return mix(before, *next, (bytes - before.bytes) / (next->bytes - before.bytes));
}

/// The run of samples of the same size of memory that begins at `first`.
Samples run_from(Samples samples, std::size_t first) {
  std::size_t end = first;
  while (end < samples.size() && samples[end].working_set == samples[first].working_set)
    ++end;
  return samples.subspan(first, end - first);
}

MessageSample interpolate(Samples samples, double working_set, double bytes) {
  LOCKSTEP_CHECK(!samples.empty(), "no exchange was measured");
  Samples below = run_from(samples, 0);
  for (std::size_t first = 0; first < samples.size();) {
    const Samples run = run_from(samples, first);
    if (run.front().working_set >= working_set) {
      if (first == 0) return at_bytes(run, bytes);
      const double low = below.front().working_set;
      const double share = std::log(working_set / low) / std::log(run.front().working_set / low);
      return mix(at_bytes(below, bytes), at_bytes(run, bytes), share);
    }
    below = run;
    first += run.size();
  }
  return at_bytes(below, bytes);
}

/// What was measured there, or else what is nearest to it.
Samples choose(const ExchangeCosts& costs, Nearness nearness) {
  switch (nearness) {
    case Nearness::Apart:
      return costs.apart.empty() ? costs.together : costs.apart;
    case Nearness::Together:
      return costs.together;
    case Nearness::Crowded:
      return costs.crowded.empty() ? choose(costs, Nearness::Apart) : Samples(costs.crowded);
  }
  return {};
}

}  // namespace

PolledMessage polled_message(const ExchangeCosts& costs, Nearness nearness, double working_set,
                             double bytes, schedule::Operator combine) {
  const MessageSample sample = interpolate(choose(costs, nearness), working_set, bytes);
  PolledMessage message;
  message.send_seconds = sample.send_seconds;
  message.receive_seconds =
      combine == schedule::Operator::Replace ? sample.store_seconds : sample.add_seconds;
  const Samples apart = choose(costs, Nearness::Apart);
  const MessageSample tiny = interpolate(apart, apart.front().working_set, 0);
  message.latency_seconds =
      std::max(0.0, tiny.round_seconds - tiny.send_seconds - tiny.add_seconds);
  return message;
}

double polled_combine_seconds(const ExchangeCosts& costs, double working_set, double bytes) {
  const Samples samples = choose(costs, Nearness::Together);
  const MessageSample here = interpolate(samples, working_set, bytes);
  const double in_cache = std::max(0.0, here.add_seconds - here.store_seconds);
  const double in_memory =
      1.5 * std::max(0.0, here.store_seconds - interpolate(samples, working_set, 0).store_seconds);
  const double least = samples.front().working_set;
  const double most = samples.back().working_set;
  if (working_set <= least || most <= least) return in_cache;
  const double share = std::min(1.0, std::log(working_set / least) / std::log(most / least));
  return in_cache + share * std::max(0.0, in_memory - in_cache);
}

MessageCost message_cost(const ExchangeCosts& costs, double working_set, const MessageCost& tcp,
                         IntraHost how) {
  const Samples apart = choose(costs, Nearness::Apart);
  const MessageSample tiny = interpolate(apart, working_set, 0);
  const double bytes = apart.back().bytes;
  const MessageSample large = interpolate(apart, working_set, bytes);
  const auto per_byte = [&](double small, double whole) {
    return std::max(0.0, whole - small) / bytes;
  };
  MessageCost cost = tcp;
  cost.send_overhead_seconds = tiny.send_seconds;
  cost.receive_overhead_seconds = tiny.store_seconds;
  cost.send_core_seconds_per_byte = per_byte(tiny.send_seconds, large.send_seconds);
  cost.receive_core_seconds_per_byte = per_byte(tiny.store_seconds, large.store_seconds);
  if (how == IntraHost::SharedMemory) cost.window_bytes = 0;
  return cost;
}

double turn_seconds(const ExchangeCosts& costs) {
  if (costs.together.empty()) return 0;
  const MessageSample tiny = interpolate(costs.together, costs.together.front().working_set, 0);
  const double work = 2 * (tiny.send_seconds + tiny.add_seconds);
  return std::max(0.0, (tiny.round_seconds - work) / 2);
}

}  // namespace lockstep::cost
