// SPDX-License-Identifier: Apache-2.0
#include "models/training/chain.h"

#include <algorithm>
#include <utility>

namespace lockstep::training {

namespace {

using network::Network;
using network::Stage;
using network::Work;
using network::WorkKind;
using schedule::After;
using schedule::Lane;
using schedule::Slice;
using schedule::Step;
using schedule::StepIndex;
using schedule::Verb;

Work input_of(const Job& job) {
  const bool decodes = job.input == network::InputKind::Jpeg;
  return {.kind = WorkKind::Input,
          .input = job.input,
          .augment = job.augment,
          .decoders = decodes ? std::max(1, job.decode_threads) : 1};
}

class ChainBuilder {
 public:
  ChainBuilder(const Job& job, const Network& network, const std::vector<Bucket>& buckets,
               network::WorkTable& works)
      : job_(job),
        network_(network),
        buckets_(buckets),
        synchronises_(job.batch_norm == BatchNorm::Synchronised && job.ranks > 1),
        works_(works) {
    chain_.runs.emplace_back();
    chain_.gradients_of.resize(network.stages.size());
  }

  Chain build() && {
    for (micro_batch_ = 0; micro_batch_ < job_.accumulate; ++micro_batch_) {
      load();
      forward();
      then({.kind = WorkKind::Loss});
      backward();
    }
    return std::move(chain_);
  }

 private:
  Chain::Run& run() { return chain_.runs.back(); }
  After last_step() { return {run().fragment, static_cast<StepIndex>(run().steps.size() - 1)}; }
  Slice parameters(const Stage& stage) const {
    return slice_of(network_.first_layer(stage), kParameters);
  }
  std::uint64_t sums_of(const Stage& stage) const {
    return 2 * static_cast<std::uint64_t>(network_.first_layer(stage).output.channels);
  }

  /// Loads the images of the micro-batch after this one, for which those before this one must have
  /// been used, and this one's must be there.
  void load() {
    if (micro_batch_ > 0) {
      const After used = last_step();
      chain_.runs.push_back({.fragment = run().fragment + 1, .after = {used, loaded_}});
    }
    add(input_of(job_), Lane::Input);
    loaded_ = last_step();
  }

  void forward() {
    for (std::int32_t s = 0; s < static_cast<std::int32_t>(network_.stages.size()); ++s) {
      const Stage& stage = network_.stages[static_cast<std::size_t>(s)];
      const Slice sums = take_sums(WorkKind::Sums, s, stage.sums);
      Step& step = then({.kind = WorkKind::Forward, .stage = s});
      step.from = sums.count > 0 ? sums : parameters(stage);
    }
  }

  void backward() {
    for (auto s = static_cast<std::int32_t>(network_.stages.size()) - 1; s >= 0; --s) {
      const Stage& stage = network_.stages[static_cast<std::size_t>(s)];
      if (!network_.has_backward(stage)) continue;
      const Slice sums = take_sums(WorkKind::GradientSums, s, stage.sums + sums_of(stage));
      Step& step = then({.kind = WorkKind::Backward, .stage = s});
      step.from = sums.count > 0 ? sums : parameters(stage);
      step.into = slice_of(network_.first_layer(stage), accumulates() ? kMicro : kGradients);
      for (const Bucket& bucket : buckets_)
        if (bucket.first_stage == s) complete(bucket);
      chain_.gradients_of[static_cast<std::size_t>(s)] = last_step();
    }
  }

  bool accumulates() const { return job_.accumulate > 1; }

  /// What is to be done once a micro-batch's gradients of a bucket are there. That the norm writes
  /// them is declared so that the proof keeps the all-reduce behind it.
  void complete(const Bucket& bucket) {
    const Slice micro{accumulates() ? kMicro : kGradients, bucket.first, bucket.count};
    if (job_.noise_scale) {
      Step& step = then({.kind = WorkKind::PartNorm, .first = bucket.first, .count = bucket.count});
      step.into = micro;
    }
    if (accumulates()) {
      Step& step =
          then({.kind = WorkKind::Accumulate, .first = bucket.first, .count = bucket.count});
      step.from = micro;
      step.into = {kGradients, bucket.first, bucket.count};
    }
  }

  Step& add(Work work, Lane lane) {
    work.micro_batch = micro_batch_;
    work.micro_batches = job_.accumulate;
    works_.push_back(work);
    run().steps.push_back({.verb = Verb::Compute,
                           .lane = lane,
                           .target = static_cast<std::int32_t>(works_.size() - 1)});
    return run().steps.back();
  }

  /// After the computation before; the first one of a run, after what the run is after.
  Step& then(const Work& work) {
    const bool first = run().steps.empty() || run().steps.back().lane == Lane::Input;
    const auto previous = static_cast<StepIndex>(run().steps.size()) - 1;
    Step& step = add(work, Lane::Compute);
    if (!first) step.wait_for(previous);
    return step;
  }

  /// The sums that a batch normalisation needs, and where they come out if all ranks' are added.
  Slice take_sums(WorkKind kind, std::int32_t s, std::uint64_t first) {
    const Stage& stage = network_.stages[static_cast<std::size_t>(s)];
    if (!network_.normalises(stage)) return {};
    Step& step = then({.kind = kind, .stage = s});
    step.from = parameters(stage);
    if (!synchronises_) return {};
    const Slice sums{kSums, first, sums_of(stage)};
    step.into = sums;
    run().sums = sums;
    const std::uint32_t all_reduce = run().fragment + 1;
    chain_.runs.push_back({.fragment = all_reduce + 1, .after = {{all_reduce, After::kWhole}}});
    return sums;
  }

  const Job& job_;
  const Network& network_;
  const std::vector<Bucket>& buckets_;
  bool synchronises_;
  network::WorkTable& works_;
  Chain chain_;
  std::int32_t micro_batch_ = 0;
  After loaded_;  // the last Input step
};

}  // namespace

Slice slice_of(const network::Layer& layer, std::uint32_t buffer) {
  if (layer.parameters.empty()) return {buffer, 0, 0};
  return {buffer, layer.parameters.front().first, layer.flat_count()};
}

Chain make_chain(const Job& job, const Network& network, const std::vector<Bucket>& buckets,
                 network::WorkTable& works) {
  return ChainBuilder(job, network, buckets, works).build();
}

}  // namespace lockstep::training
