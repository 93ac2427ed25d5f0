// SPDX-License-Identifier: Apache-2.0
#include "cli/choose_codecs.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "cli/codec_list.h"
#include "cli/job_faults.h"
#include "cli/prediction.h"
#include "models/base/units.h"
#include "models/schedule/facts.h"

namespace lockstep::cli {

namespace {

using compression::Codec;
using training::Bucket;

/// What is gained less is refused, and what is worse than the best by less is as good: of several
/// such the first in the order of methods, which is roughly that of how much they leave out.
constexpr double kUndecided = 0.02;

/// Buckets that are decided about together.
struct Unit {
  std::string name;
  std::vector<std::string> layers;
};

/// One codec for one unit.
struct Option {
  Codec codec;
  double seconds = 0;  // of an iteration
  std::uint64_t bytes = 0;
  std::string refused;  // why it cannot be
};

void add_layers(const network::Network& network, const Bucket& bucket,
                std::vector<std::string>& layers) {
  for (std::int32_t s = bucket.last_stage; s >= bucket.first_stage; --s) {
    const network::Layer& layer = network.first_layer(network.stages[static_cast<std::size_t>(s)]);
    if (!layer.parameters.empty()) layers.push_back(layer.name);
  }
}

/// The largest buckets each for itself, the others together, so that deep networks don't take long.
std::vector<Unit> units_of(const ResolvedJob& resolved) {
  constexpr std::size_t kAlone = 8;
  const std::vector<Bucket>& buckets = resolved.iteration.buckets;
  std::vector<std::size_t> order(buckets.size());
  for (std::size_t b = 0; b < order.size(); ++b)
    order[b] = b;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return buckets[a].count > buckets[b].count;
  });
  std::vector<Unit> units;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i <= kAlone) units.emplace_back();
    Unit& unit = units.back();
    unit.name = i < kAlone ? "bucket " + std::to_string(order[i]) : "the other buckets";
    add_layers(resolved.network, buckets[order[i]], unit.layers);
  }
  return units;
}

training::Job with(training::Job job, const Unit& unit, const Codec& codec) {
  for (const std::string& layer : unit.layers)
    job.compression.push_back({layer, codec});
  return job;
}

double seconds_of(const ResolvedJob& resolved, const Machines& machines) {
  return predict(resolved, machines).result.summary.iteration_seconds.mean;
}

Option try_codec(const ResolvedJob& resolved, const training::Job& job, const Unit& unit,
                 const Codec& codec, const Machines& machines) {
  Option option;
  option.codec = codec;
  const training::Job changed = with(job, unit, codec);
  option.refused = fault_of_exchange(changed);
  if (option.refused.empty() && job.buckets_in_flight > most_buckets_in_flight(changed))
    option.refused = "takes more streams than there are";
  if (!option.refused.empty()) return option;
  const ResolvedJob variant = resolve(changed, resolved.network, resolved.topology);
  option.seconds = seconds_of(variant, machines);
  option.bytes = schedule::rank_facts(variant.iteration.schedule, 0).bytes_sent;
  return option;
}

/// The one that is taken: of those that may be, the shortest, or as good; null for none.
const Option* best_of(const std::vector<Option>& options, double without) {
  double least = without * (1 - kUndecided);
  const auto may_be = [](const Option& option) {
    return option.refused.empty() && compression::is_advised(option.codec);
  };
  for (const Option& option : options)
    if (may_be(option)) least = std::min(least, option.seconds);
  const auto found = std::find_if(options.begin(), options.end(), [&](const Option& option) {
    return may_be(option) && option.seconds <= least * (1 + kUndecided) &&
           option.seconds <= without * (1 - kUndecided);
  });
  return found == options.end() ? nullptr : &*found;
}

void print_option(const Option& option, double without, double computing, const char* verdict) {
  if (!option.refused.empty()) {
    std::printf("  %-18s %s\n", name_of(option.codec).c_str(), option.refused.c_str());
    return;
  }
  std::printf("  %-18s %10s %12s %12s %+7.1f %%  %s\n", name_of(option.codec).c_str(),
              format_bytes(static_cast<double>(option.bytes)).c_str(),
              format_seconds(std::max(0.0, option.seconds - computing)).c_str(),
              format_seconds(option.seconds).c_str(), 100 * (option.seconds / without - 1),
              verdict);
}

void print_unit(const Unit& unit, const std::vector<Option>& options, const Option& none,
                const Option* best, double computing) {
  std::string layers;
  for (const std::string& layer : unit.layers)
    layers += (layers.empty() ? "" : ", ") + layer;
  std::printf("%s (%s)\n  %-18s %10s %12s %12s\n", unit.name.c_str(), layers.c_str(), "codec",
              "sent", "exposed", "iteration");
  print_option(none, none.seconds, computing, best == nullptr ? "taken" : "");
  for (const Option& option : options) {
    const bool loses = option.seconds > none.seconds * (1 - kUndecided);
    print_option(option, none.seconds, computing,
                 &option == best                          ? "taken"
                 : loses                                  ? "refused: does not pay"
                 : !compression::is_advised(option.codec) ? "not taken by itself: may cost accuracy"
                                                          : "");
  }
}

}  // namespace

ResolvedJob choose_codecs(const ResolvedJob& resolved, const Machines& machines, bool explains) {
  const results::Summary without = predict(resolved, machines).result.summary;
  training::Job job = resolved.job;
  Option none;
  none.seconds = without.iteration_seconds.mean;
  none.bytes = schedule::rank_facts(resolved.iteration.schedule, 0).bytes_sent;
  for (const Unit& unit : units_of(resolved)) {
    std::vector<Option> options;
    for (const Codec& codec : usual_codecs())
      if (codec.method != compression::Method::Float32)
        options.push_back(try_codec(resolved, job, unit, codec, machines));
    const Option* best = best_of(options, none.seconds);
    if (explains) print_unit(unit, options, none, best, without.compute_seconds);
    if (best == nullptr) continue;
    job = with(job, unit, best->codec);
    none.seconds = best->seconds;
    none.bytes = best->bytes;
  }
  std::printf("compression: %s, predicted iteration %s, without %s\n",
              compression::name_of(job.compression).c_str(), format_seconds(none.seconds).c_str(),
              format_seconds(without.iteration_seconds.mean).c_str());
  std::fflush(stdout);
  return resolve(job, resolved.network, resolved.topology);
}

}  // namespace lockstep::cli
