// SPDX-License-Identifier: Apache-2.0
#include "models/training/iteration.h"

#include <algorithm>
#include <utility>

#include "models/base/errors.h"
#include "models/training/coding.h"

namespace lockstep::training {

namespace {

using network::Layer;
using network::Network;
using network::Stage;
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
  return {buffer, layer.parameters.front().first, layer.flat_count()};
}

/// The chain input | forward … loss … backward, the same on every rank: runs of computations with
/// the all-reduce of a batch normalisation's sums between each two.
struct Chain {
  std::vector<std::vector<Step>> runs;
  std::vector<Slice> sums;         // behind each run but the last
  std::vector<After> backward_of;  // by stage: its backward step
};

/// Fragments alternate between the runs of the chain and the all-reduces of sums.
std::uint32_t fragment_of_run(std::size_t run) {
  return static_cast<std::uint32_t>(2 * run);
}

Work input_of(const Job& job) {
  const bool decodes = job.input == network::InputKind::Jpeg;
  return {.kind = WorkKind::Input,
          .input = job.input,
          .augment = job.augment,
          .decoders = decodes ? std::max(1, job.decode_threads) : 1};
}

class ChainBuilder {
 public:
  ChainBuilder(const Network& network, const Work& input, bool synchronises,
               network::WorkTable& works)
      : network_(network), synchronises_(synchronises), works_(works) {
    chain_.runs.emplace_back();
    chain_.backward_of.resize(network.stages.size());
    add(input, Lane::Input);
  }

  Chain build() && {
    const auto stages = static_cast<std::int32_t>(network_.stages.size());
    for (std::int32_t s = 0; s < stages; ++s) {
      const Stage& stage = network_.stages[static_cast<std::size_t>(s)];
      const Slice sums = take_sums(WorkKind::Sums, s, stage.sums);
      Step& step = then({.kind = WorkKind::Forward, .stage = s});
      step.from = sums.count > 0 ? sums : parameters(stage);
    }
    then({.kind = WorkKind::Loss});
    for (std::int32_t s = stages - 1; s >= 0; --s) {
      const Stage& stage = network_.stages[static_cast<std::size_t>(s)];
      if (!network_.has_backward(stage)) continue;
      const Slice sums = take_sums(WorkKind::GradientSums, s, stage.sums + sums_of(stage));
      Step& step = then({.kind = WorkKind::Backward, .stage = s});
      step.from = sums.count > 0 ? sums : parameters(stage);
      step.into = slice_of(network_.first_layer(stage), kGradients);
      chain_.backward_of[static_cast<std::size_t>(s)] = {
          fragment_of_run(chain_.runs.size() - 1),
          static_cast<StepIndex>(chain_.runs.back().size() - 1)};
    }
    return std::move(chain_);
  }

 private:
  Slice parameters(const Stage& stage) const {
    return slice_of(network_.first_layer(stage), kParameters);
  }
  std::uint64_t sums_of(const Stage& stage) const {
    return 2 * static_cast<std::uint64_t>(network_.first_layer(stage).output.channels);
  }

  Step& add(const Work& work, Lane lane) {
    works_.push_back(work);
    chain_.runs.back().push_back({.verb = Verb::Compute,
                                  .lane = lane,
                                  .target = static_cast<std::int32_t>(works_.size() - 1)});
    return chain_.runs.back().back();
  }

  /// After the computation before; the first one of a run, after the all-reduce before the run.
  Step& then(const Work& work) {
    const bool first = chain_.runs.back().empty() || chain_.runs.back().back().lane == Lane::Input;
    const auto previous = static_cast<StepIndex>(chain_.runs.back().size()) - 1;
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
    step.into = {kSums, first, sums_of(stage)};
    chain_.sums.push_back(step.into);
    chain_.runs.emplace_back();
    return chain_.sums.back();
  }

  const Network& network_;
  bool synchronises_;
  network::WorkTable& works_;
  Chain chain_;
};

/// The parts of an iteration that are made one after the other.
class IterationBuilder {
 public:
  IterationBuilder(const Job& job, const Network& network, const std::vector<std::int32_t>& groups)
      : job_(job), network_(network), groups_(groups) {
    iteration_.buckets = make_buckets(network, job.bucket_bytes);
    iteration_.schedule.name = "iteration of " + network.name;
    iteration_.schedule.ranks = job.ranks;
    finished_.resize(iteration_.buckets.size());
  }

  Iteration build() && {
    const bool synchronises = job_.batch_norm == BatchNorm::Synchronised && job_.ranks > 1;
    iteration_.synchronises = synchronises;
    Coding coding(job_, groups_, iteration_.first_code_buffer(), iteration_.schedule);
    const Chain chain =
        ChainBuilder(network_, input_of(job_), synchronises, iteration_.works).build();
    for (std::size_t run = 0; run < chain.runs.size(); ++run)
      add_run(chain, run);
    for (std::size_t b = 0; b < iteration_.buckets.size(); ++b)
      add_bucket(chain, b, coding);
    for (std::size_t b = 0; b < iteration_.buckets.size(); ++b)
      add_update(b);
    iteration_.schedule.buffers = {{.name = "gradients", .count = network_.flat_count},
                                   {.name = "parameters", .count = network_.flat_count},
                                   {.name = "scratch", .count = scratch_}};
    if (synchronises)
      iteration_.schedule.buffers.push_back({.name = "sums", .count = network_.sum_count});
    coding.declare_buffers();
    return std::move(iteration_);
  }

 private:
  void add_run(const Chain& chain, std::size_t run) {
    const std::uint32_t number = fragment_of_run(run);
    Fragment fragment = listed("compute", -1, chain.runs[run]);
    if (chain.runs.size() > 1) fragment.name += " " + std::to_string(run);
    if (run > 0) fragment.after = {{number - 1, After::kWhole}};
    iteration_.schedule.fragments.push_back(fragment);
    if (run == chain.sums.size()) return;
    // Behind the buckets' streams there are others: sums never wait behind a bucket. Nor do they
    // wait for the input, which is in the first run, but only for the run's last step.
    const auto last = static_cast<StepIndex>(chain.runs[run].size() - 1);
    iteration_.schedule.fragments.push_back(all_reduce(
        "all-reduce sums " + std::to_string(run), -1, chain.sums[run],
        static_cast<std::size_t>(job_.buckets_in_flight) * places_of_bucket(), {{number, last}}));
  }

  void add_bucket(const Chain& chain, std::size_t index, Coding& coding) {
    const Bucket& bucket = iteration_.buckets[index];
    const auto in_flight = static_cast<std::size_t>(job_.buckets_in_flight);
    const auto ready_stage = static_cast<std::size_t>(
        job_.overlap ? bucket.first_stage : iteration_.buckets.back().first_stage);
    std::vector<After> after{chain.backward_of[ready_stage]};
    if (index >= in_flight) append(finished_[index - in_flight], after);
    const std::vector<CodedGroup> groups = coded_groups(job_, network_, bucket);
    if (groups.empty()) return reduce_in_place(index, after);
    for (std::size_t g = 0; g < groups.size(); ++g) {
      append(coding.add(groups[g], static_cast<std::int32_t>(index), after,
                        stream_of(place_of(index) + g * static_cast<std::size_t>(job_.streams))),
             finished_[index]);
      iteration_.codes.push_back(groups[g].group);
    }
  }

  void reduce_in_place(std::size_t index, const std::vector<After>& after) {
    const Bucket& bucket = iteration_.buckets[index];
    const auto streams = static_cast<std::size_t>(job_.streams);
    for (std::size_t part = 0; part < streams; ++part) {
      const schedule::Slice slice =
          collectives::part_of({kGradients, bucket.first, bucket.count}, part, streams);
      finished_[index].push_back(
          {static_cast<std::uint32_t>(iteration_.schedule.fragments.size()), After::kWhole});
      iteration_.schedule.fragments.push_back(all_reduce(
          "all-reduce " + std::to_string(index) + (streams > 1 ? "." + std::to_string(part) : ""),
          static_cast<std::int32_t>(index), slice, place_of(index) + part, after));
    }
  }

  static void append(const std::vector<After>& more, std::vector<After>& all) {
    all.insert(all.end(), more.begin(), more.end());
  }

  /// Of a bucket among all that may be under way at one time.
  std::size_t place_of(std::size_t index) const {
    return index % static_cast<std::size_t>(job_.buckets_in_flight) * places_of_bucket();
  }
  std::size_t places_of_bucket() const {
    return static_cast<std::size_t>(job_.streams) * static_cast<std::size_t>(most_groups(job_));
  }
  std::uint8_t stream_of(std::size_t place) const {
    return static_cast<std::uint8_t>(place * streams_of(job_.algorithm));
  }

  void add_update(std::size_t index) {
    const Bucket& bucket = iteration_.buckets[index];
    iteration_.works.push_back(
        {.kind = WorkKind::Update, .first = bucket.first, .count = bucket.count});
    const Step step{.verb = Verb::Compute,
                    .lane = Lane::Compute,
                    .target = static_cast<std::int32_t>(iteration_.works.size() - 1),
                    .from = {kGradients, bucket.first, bucket.count},
                    .into = {kParameters, bucket.first, bucket.count}};
    Fragment fragment =
        listed("update " + std::to_string(index), static_cast<std::int32_t>(index), {step});
    fragment.after = finished_[index];
    iteration_.schedule.fragments.push_back(fragment);
  }

  static Fragment listed(const std::string& name, std::int32_t bucket,
                         const std::vector<Step>& steps) {
    return {.name = name,
            .bucket = bucket,
            .steps = std::make_shared<schedule::StepList>(std::vector<std::vector<Step>>{steps}),
            .after = {}};
  }

  /// `place` among those that may be under way at one time: each has streams of its own.
  Fragment all_reduce(const std::string& name, std::int32_t bucket, const Slice& data,
                      std::size_t place, const std::vector<After>& after) {
    const std::uint64_t need = collectives::scratch_elements(job_.algorithm, data.count);
    const collectives::Operation all_reduce{
        .ranks = job_.ranks,
        .data = data,
        .scratch = {kScratch, scratch_, need},
        .stream = stream_of(place),
        .segment_elements = job_.segment_bytes / bytes_of(schedule::ElementType::Float32),
        .groups = groups_,
        .servers = job_.servers};
    scratch_ += need;
    return {.name = name,
            .bucket = bucket,
            .steps = make_steps(job_.algorithm, all_reduce),
            .after = after};
  }

  const Job& job_;
  const Network& network_;
  const std::vector<std::int32_t>& groups_;
  Iteration iteration_;
  std::vector<std::vector<After>> finished_;  // [bucket] when its gradients are reduced
  std::uint64_t scratch_ = 0;
};

}  // namespace

std::vector<Bucket> make_buckets(const Network& network, std::uint64_t bucket_bytes) {
  std::vector<Bucket> buckets;
  bool open = false;
  for (auto s = static_cast<std::int32_t>(network.stages.size()) - 1; s >= 0; --s) {
    const Stage& stage = network.stages[static_cast<std::size_t>(s)];
    const Slice slice = slice_of(network.first_layer(stage), kGradients);
    if (slice.count == 0) continue;
    if (!open) buckets.push_back({.last_stage = s, .first = slice.first});
    Bucket& bucket = buckets.back();
    LOCKSTEP_CHECK(slice.first == bucket.first + bucket.count, "gradients are not contiguous");
    bucket.first_stage = s;
    bucket.count += slice.count;
    open = bucket.count * bytes_of(schedule::ElementType::Float32) < bucket_bytes;
  }
  return buckets;
}

std::vector<schedule::Contract> Iteration::contracts() const {
  std::vector<schedule::Contract> contracts;
  std::vector<std::uint32_t> buffers{kGradients};
  if (synchronises) buffers.push_back(kSums);
  for (const std::uint32_t buffer : buffers)
    contracts.push_back({.buffer = buffer,
                         .holds_contributions_at_start = false,
                         .slice = {buffer, 0, schedule.buffers[buffer].count}});
  return contracts;
}

Iteration make_iteration(const Job& job, const Network& network,
                         const std::vector<std::int32_t>& groups) {
  return IterationBuilder(job, network, groups).build();
}

std::vector<std::string> work_names(const Iteration& iteration, const Network& network) {
  std::vector<std::string> names;
  std::size_t updates = 0;
  for (const Work& work : iteration.works) {
    const std::string stage =
        work.stage >= 0
            ? network.first_layer(network.stages[static_cast<std::size_t>(work.stage)]).name
            : "";
    switch (work.kind) {
      case WorkKind::Input:
        names.push_back("input");
        break;
      case WorkKind::Sums:
        names.push_back("sums " + stage);
        break;
      case WorkKind::Forward:
        names.push_back("forward " + stage);
        break;
      case WorkKind::Loss:
        names.push_back("loss");
        break;
      case WorkKind::GradientSums:
        names.push_back("gradient sums " + stage);
        break;
      case WorkKind::Backward:
        names.push_back("backward " + stage);
        break;
      case WorkKind::Update:
        names.push_back("update " + std::to_string(updates++));
        break;
    }
  }
  return names;
}

}  // namespace lockstep::training
