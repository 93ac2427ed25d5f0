// SPDX-License-Identifier: Apache-2.0
#include "models/training/iteration.h"

#include "models/base/errors.h"

namespace lockstep::training {

namespace {

using network::Layer;
using network::Network;
using network::Work;
using network::WorkKind;
using schedule::After;
using schedule::Fragment;
using schedule::Lane;
using schedule::Slice;
using schedule::Step;
using schedule::StepIndex;
using schedule::Verb;

/// The layer's parameters in the flat buffers; empty if it has none.
Slice slice_of(const Layer& layer, std::uint32_t buffer) {
  if (layer.parameters.empty()) return {buffer, 0, 0};
  return {buffer, layer.parameters.front().first, layer.parameter_count()};
}

std::int32_t lowest_learnt_layer(const Network& network) {
  std::int32_t layer = 0;
  while (network.layers[static_cast<std::size_t>(layer)].parameters.empty())
    ++layer;
  return layer;
}

/// The chain input | forward … loss … backward, the same on every rank.
struct Chain {
  std::vector<Step> steps;
  std::vector<StepIndex> backward_of;  // by layer: its backward step

  Step& add(network::WorkTable& works, const Work& work, Lane lane) {
    works.push_back(work);
    Step step{
        .verb = Verb::Compute, .lane = lane, .target = static_cast<std::int32_t>(works.size() - 1)};
    steps.push_back(step);
    return steps.back();
  }
};

Chain make_chain(const Network& network, network::WorkTable& works) {
  const auto layers = static_cast<std::int32_t>(network.layers.size());
  Chain chain;
  chain.backward_of.resize(network.layers.size());
  chain.add(works, {.kind = WorkKind::Input}, Lane::Input);
  StepIndex previous = 0;
  const auto then = [&](const Work& work) -> Step& {
    Step& step = chain.add(works, work, Lane::Compute);
    if (previous > 0) step.wait_for(previous);
    previous = static_cast<StepIndex>(chain.steps.size() - 1);
    return step;
  };
  for (std::int32_t l = 0; l < layers; ++l)
    then({.kind = WorkKind::Forward, .layer = l}).from =
        slice_of(network.layers[static_cast<std::size_t>(l)], kParameters);
  then({.kind = WorkKind::Loss});
  for (std::int32_t l = layers - 1; l >= lowest_learnt_layer(network); --l) {
    const auto index = static_cast<std::size_t>(l);
    Step& step = then({.kind = WorkKind::Backward, .layer = l});
    step.from = slice_of(network.layers[index], kParameters);
    step.into = slice_of(network.layers[index], kGradients);
    chain.backward_of[index] = previous;
  }
  return chain;
}

Fragment all_reduce_fragment(const Job& job, const Iteration& iteration, const Chain& chain,
                             std::size_t index, Slice scratch,
                             const std::vector<std::int32_t>& groups) {
  const Bucket& bucket = iteration.buckets[index];
  const auto in_flight = static_cast<std::size_t>(job.buckets_in_flight);
  const collectives::Operation all_reduce{
      .ranks = job.ranks,
      .data = {kGradients, bucket.first, bucket.count},
      .scratch = scratch,
      .stream = static_cast<std::uint8_t>(index % in_flight * streams_of(job.algorithm)),
      .segment_elements = job.segment_bytes / bytes_of(schedule::ElementType::Float32),
      .groups = groups,
      .servers = job.servers};
  Fragment fragment;
  fragment.name = "all-reduce " + std::to_string(index);
  fragment.bucket = static_cast<std::int32_t>(index);
  fragment.steps = make_steps(job.algorithm, all_reduce);
  const auto ready_layer = static_cast<std::size_t>(
      job.overlap ? bucket.first_layer : iteration.buckets.back().first_layer);
  fragment.after.push_back({0, chain.backward_of[ready_layer]});
  // Fragment 0 is the chain, fragment 1 + i the all-reduce of bucket i.
  if (index >= in_flight)
    fragment.after.push_back({static_cast<std::uint32_t>(1 + index - in_flight), After::kWhole});
  return fragment;
}

}  // namespace

std::vector<Bucket> make_buckets(const Network& network, std::uint64_t bucket_bytes) {
  std::vector<Bucket> buckets;
  bool open = false;
  for (auto l = static_cast<std::int32_t>(network.layers.size()) - 1; l >= 0; --l) {
    const Slice slice = slice_of(network.layers[static_cast<std::size_t>(l)], kGradients);
    if (slice.count == 0) continue;
    if (!open) buckets.push_back({.last_layer = l, .first = slice.first});
    Bucket& bucket = buckets.back();
    LOCKSTEP_CHECK(slice.first == bucket.first + bucket.count, "gradients are not contiguous");
    bucket.first_layer = l;
    bucket.count += slice.count;
    open = bucket.count * bytes_of(schedule::ElementType::Float32) < bucket_bytes;
  }
  return buckets;
}

schedule::Contract Iteration::contract() const {
  return {.buffer = kGradients,
          .holds_contributions_at_start = false,
          .slice = {kGradients, 0, schedule.buffers[kGradients].count}};
}

Iteration make_iteration(const Job& job, const Network& network,
                         const std::vector<std::int32_t>& groups) {
  Iteration iteration;
  iteration.buckets = make_buckets(network, job.bucket_bytes);
  const Chain chain = make_chain(network, iteration.works);

  schedule::Schedule& schedule = iteration.schedule;
  schedule.name = "iteration of " + network.name;
  schedule.ranks = job.ranks;
  schedule.fragments.push_back(
      {.name = "compute",
       .bucket = -1,
       .steps = std::make_shared<schedule::StepList>(std::vector<std::vector<Step>>{chain.steps}),
       .after = {}});
  std::uint64_t scratch = 0;
  for (std::size_t b = 0; b < iteration.buckets.size(); ++b) {
    const std::uint64_t need =
        collectives::scratch_elements(job.algorithm, iteration.buckets[b].count);
    schedule.fragments.push_back(
        all_reduce_fragment(job, iteration, chain, b, {kScratch, scratch, need}, groups));
    scratch += need;
  }
  for (std::size_t b = 0; b < iteration.buckets.size(); ++b) {
    const Bucket& bucket = iteration.buckets[b];
    Chain update;
    Step& step = update.add(
        iteration.works, {.kind = WorkKind::Update, .first = bucket.first, .count = bucket.count},
        Lane::Compute);
    step.from = {kGradients, bucket.first, bucket.count};
    step.into = {kParameters, bucket.first, bucket.count};
    schedule.fragments.push_back({.name = "update " + std::to_string(b),
                                  .bucket = static_cast<std::int32_t>(b),
                                  .steps = std::make_shared<schedule::StepList>(
                                      std::vector<std::vector<Step>>{update.steps}),
                                  .after = {{static_cast<std::uint32_t>(1 + b), After::kWhole}}});
  }
  schedule.buffers = {{.name = "gradients", .count = network.parameter_count},
                      {.name = "parameters", .count = network.parameter_count},
                      {.name = "scratch", .count = scratch}};
  return iteration;
}

std::vector<std::string> work_names(const Iteration& iteration, const Network& network) {
  std::vector<std::string> names;
  std::size_t updates = 0;
  for (const Work& work : iteration.works) {
    const std::string layer =
        work.layer >= 0 ? network.layers[static_cast<std::size_t>(work.layer)].name : "";
    switch (work.kind) {
      case WorkKind::Input:
        names.push_back("input");
        break;
      case WorkKind::Forward:
        names.push_back("forward " + layer);
        break;
      case WorkKind::Loss:
        names.push_back("loss");
        break;
      case WorkKind::Backward:
        names.push_back("backward " + layer);
        break;
      case WorkKind::Update:
        names.push_back("update " + std::to_string(updates++));
        break;
    }
  }
  return names;
}

}  // namespace lockstep::training
