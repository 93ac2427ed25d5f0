// SPDX-License-Identifier: Apache-2.0
#include "cli/job_faults.h"

#include "models/base/errors.h"
#include "models/training/coding.h"
#include "models/training/iteration.h"
#include "models/training/job_json.h"

namespace lockstep::cli {

std::int32_t most_buckets_in_flight(const training::Job& job) {
  const bool adds_sums = job.batch_norm == training::BatchNorm::Synchronised;  // on streams too
  const std::int32_t streams_of_bucket =
      job.staleness
          ? 2  // gradients there, parameters back
          : collectives::streams_of(job.algorithm) * job.streams * training::most_groups(job);
  return (256 - (adds_sums ? streams_of_bucket : 0)) / streams_of_bucket;
}

std::string fault_of_exchange(const training::Job& job) {
  constexpr std::int32_t kMostSummed = 127;  // of −1, 0, 1 in a byte
  for (const compression::Rule& rule : job.compression) {
    const std::string name = name_of(rule.codec);
    if (compression::holds_momentum(rule.codec) && job.update.optimizer != network::Optimizer::Sgd)
      return name + " holds the momentum of sgd, cannot go with " +
             training::name_of(job.update.optimizer);
    if (rule.codec.method == compression::Method::TernGradShared && job.ranks > kMostSummed)
      return name + " adds up to 127 ranks, there are " + std::to_string(job.ranks) +
             "; expected terngrad, which is gathered";
    using enum collectives::Collective;
    if (!compression::gathers(rule.codec) || is_legal(job.algorithm, AllGather)) continue;
    std::string text = "codes of " + name + " are gathered, which " +
                       collectives::name_of(job.algorithm) + " cannot do; expected --algorithm";
    for (const collectives::Algorithm other : collectives::all_algorithms())
      if (is_legal(other, AllGather)) text += " " + collectives::name_of(other);
    text += ", or a codec whose codes are added:";
    for (const compression::Method method : compression::all_methods())
      if (!compression::gathers({method})) text += " " + compression::name_of(method);
    return text;
  }
  return "";
}

namespace {

std::string fault_of_local_steps(const training::Job& job) {
  if (job.local_steps == 0) return "";
  if (!job.compression.empty() || job.choose_compression)
    return "averages parameters, which codecs of gradients are not for; cannot be given together "
           "with --compression";
  if (job.noise_scale)
    return "has no gradients of the whole batch to compare; cannot be given together with "
           "--noise-scale";
  if (job.batch_norm == training::BatchNorm::Synchronised)
    return "has iterations without communication, in which --batch-norm synchronised would add "
           "sums of all ranks; expected --batch-norm per-rank";
  return "";
}

std::string fault_of_staleness(const training::Job& job) {
  if (!job.staleness) return "";
  const std::string together = "; cannot be given together with --";
  if (job.algorithm != collectives::Algorithm::ParameterServer)
    return "is the parameter server's; expected --algorithm parameter-server";
  if (job.servers != 0) return "has all ranks serve; expected --servers 0";
  if (job.streams != 1) return "has streams of its own; expected --streams 1";
  if (!job.compression.empty() || job.choose_compression)
    return "applies gradients as they are" + together + "compression";
  if (job.noise_scale) return "never has gradients of the whole batch" + together + "noise-scale";
  if (job.local_steps > 0)
    return "has every gradient applied by servers" + together + "local-steps";
  if (job.batch_norm == training::BatchNorm::Synchronised)
    return "lets ranks be in different iterations, so that there are no sums of all for "
           "--batch-norm synchronised; expected per-rank";
  if (job.update.optimizer != network::Optimizer::Sgd &&
      job.update.optimizer != network::Optimizer::Nesterov)
    return "has gradients applied one by one, which is no step of " +
           training::name_of(job.update.optimizer) + "; expected --optimizer sgd or nesterov";
  return "";
}

/// A shard without parameters would serve nobody.
void check_shards(const training::Job& job, const network::Network& network) {
  if (!job.staleness) return;
  for (const training::Bucket& bucket : training::make_buckets(network, job.bucket_bytes))
    if (bucket.count < static_cast<std::uint64_t>(job.ranks))
      throw ConfigError("--bucket-bytes", "leaves a bucket of " + std::to_string(bucket.count) +
                                              " parameters, which " + std::to_string(job.ranks) +
                                              " ranks cannot share; expected larger buckets");
}

}  // namespace

void check_fits_together(const training::Job& job, const network::Network& network) {
  if (job.batch < job.ranks)
    throw ConfigError("--batch", "a batch of " + std::to_string(job.batch) +
                                     " images cannot be split over " + std::to_string(job.ranks) +
                                     " ranks, expected at least one image per rank");
  if (job.batch / job.ranks < job.accumulate)
    throw ConfigError("--accumulate", "a share of " + std::to_string(job.batch / job.ranks) +
                                          " images cannot be split into " +
                                          std::to_string(job.accumulate) +
                                          " micro-batches, expected at least one image in each");
  if (job.noise_scale && !job.compression.empty())
    throw ConfigError("--noise-scale",
                      "compares gradients with their sum, which compression changes;"
                      " cannot be given together with --compression");
  if (job.noise_scale && job.ranks * job.accumulate < 2)
    throw ConfigError("--noise-scale",
                      "is estimated from the gradients of several ranks or "
                      "micro-batches; expected --accumulate 2 or more");
  if (const std::string fault = fault_of_local_steps(job); !fault.empty())
    throw ConfigError("--local-steps", fault);
  if (const std::string fault = fault_of_staleness(job); !fault.empty())
    throw ConfigError("--staleness", fault);
  check_shards(job, network);
  if (!job.batch_growth.empty() && job.batch_growth.front().iteration < job.rate.warm_up)
    throw ConfigError("--batch-growth",
                      "the batch may grow when the rate has warmed up, from "
                      "iteration " +
                          std::to_string(job.rate.warm_up) + " on, is " +
                          std::to_string(job.batch_growth.front().iteration));
  double batch = job.batch;
  for (const training::BatchGrowth& growth : job.batch_growth)
    if (batch *= growth.factor; batch > 1 << 24)
      throw ConfigError("--batch-growth", "expected batches of at most 16777216 images");
  if (job.choose_algorithm)
    throw ConfigError("algorithm",
                      "expected the name of one, is \"auto\", which is settled by "
                      "simulate and train only");
  const int most_in_flight = most_buckets_in_flight(job);
  if (job.buckets_in_flight > most_in_flight)
    throw ConfigError("--buckets-in-flight", "must be at most " + std::to_string(most_in_flight) +
                                                 " with " + collectives::name_of(job.algorithm) +
                                                 ", is " + std::to_string(job.buckets_in_flight));
  if (job.choose_compression)
    throw ConfigError("compression",
                      "expected the name of a codec, is \"auto\", which is settled by simulate and "
                      "train only");
  if (const std::string fault = fault_of_exchange(job); !fault.empty())
    throw ConfigError("--compression", fault);
  if (job.servers > job.ranks)
    throw ConfigError("--servers", "there are " + std::to_string(job.ranks) +
                                       " ranks, expected no more servers, is " +
                                       std::to_string(job.servers));
  if (job.rate.policy == training::RatePolicy::Exponential && job.rate.end == 0)
    throw ConfigError("--rate-end", "must be above 0 with exponential, is 0");
  if (job.rate.policy == training::RatePolicy::Step && job.rate.drops.empty())
    throw ConfigError("--rate-policy", "step expects iterations or epochs to drop the rate at");
}

}  // namespace lockstep::cli
