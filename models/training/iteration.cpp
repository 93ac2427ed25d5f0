// SPDX-License-Identifier: Apache-2.0
#include "models/training/iteration.h"

#include <algorithm>
#include <utility>

#include "models/base/errors.h"
#include "models/training/chain.h"
#include "models/training/coding.h"
#include "models/training/serving.h"

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
    iteration_.synchronises = job_.batch_norm == BatchNorm::Synchronised && job_.ranks > 1;
    iteration_.accumulates = job_.accumulate > 1;
    Coding coding(job_, groups_, iteration_.first_code_buffer(), iteration_.schedule);
    const Chain chain = make_chain(job_, network_, iteration_.buckets, iteration_.works);
    for (const Chain::Run& run : chain.runs)
      add_run(run, chain.runs.size() > 1);
    if (job_.staleness) return add_service(chain);
    const bool is_local = job_.local_steps > 0;
    if (!is_local || job_.local_from > 0) {
      if (is_local) when_ = {.end = job_.local_from};
      for (std::size_t b = 0; b < iteration_.buckets.size(); ++b)
        add_bucket(chain, b, coding);
      for (std::size_t b = 0; b < iteration_.buckets.size(); ++b)
        add_update(b, finished_[b]);
    }
    if (is_local) {
      when_ = {.first = job_.local_from};
      const std::uint64_t scratch = scratch_;
      add_local_updates(chain);
      scratch_ = scratch;  // both never run at one time
      add_averaging_alone();
    }
    add_buffers();
    coding.declare_buffers();
    return std::move(iteration_);
  }

 private:
  Iteration add_service(const Chain& chain) {
    Serving serving(job_, iteration_.buckets, iteration_.schedule);
    for (std::size_t b = 0; b < iteration_.buckets.size(); ++b) {
      const auto row = [&](WorkKind kind) {
        const Bucket& bucket = iteration_.buckets[b];
        return row_of({.kind = kind,
                       .first = bucket.first,
                       .count = shard_of(bucket, kServed, 0, job_.ranks).count,
                       .optimizer = job_.update.optimizer});
      };
      serving.add(b, chain.gradients_of[ready_stage(b)],
                  {row(WorkKind::Apply), row(WorkKind::HandOut)});
    }
    scratch_ = serving.scratch();
    iteration_.service = {gather_served(job_, iteration_.buckets),
                          contract_of_serving(job_, network_.flat_count)};
    add_buffers();
    return std::move(iteration_);
  }

  void add_buffers() {
    std::vector<schedule::Buffer>& buffers = iteration_.schedule.buffers;
    buffers = {{.name = "gradients", .count = network_.flat_count},
               {.name = "parameters", .count = network_.flat_count},
               {.name = "scratch", .count = scratch_}};
    const bool synchronises = iteration_.synchronises;
    const bool averages = iteration_.averaging || iteration_.service;
    if (synchronises || iteration_.accumulates || averages)
      buffers.push_back({.name = "sums", .count = synchronises ? network_.sum_count : 0});
    if (iteration_.accumulates || averages)
      buffers.push_back({.name = "micro-batch gradients",
                         .count = iteration_.accumulates ? network_.flat_count : 0});
    if (!averages) return;
    buffers.push_back({.name = iteration_.service ? "served parameters" : "averages",
                       .count = network_.flat_count});
    (iteration_.service ? iteration_.service->gather : iteration_.averaging->alone).buffers =
        buffers;
    buffers.back().commutes = iteration_.service.has_value();
  }

  void add_run(const Chain::Run& run, bool several) {
    Fragment fragment = listed("compute", -1, run.steps);
    LOCKSTEP_CHECK(run.fragment == iteration_.schedule.fragments.size(), "runs are numbered ahead");
    if (several) fragment.name += " " + std::to_string(runs_);
    fragment.after = run.after;
    iteration_.schedule.fragments.push_back(fragment);
    if (run.sums.count > 0) {
      // Behind the buckets' streams there are others: sums never wait behind a bucket. Nor do they
      // wait for the input, which may be in this run, but only for the run's last step.
      const auto last = static_cast<StepIndex>(run.steps.size() - 1);
      iteration_.schedule.fragments.push_back(
          all_reduce("all-reduce sums " + std::to_string(runs_), -1, run.sums,
                     static_cast<std::size_t>(job_.buckets_in_flight) * places_of_bucket(),
                     {{run.fragment, last}}));
    }
    ++runs_;
  }

  /// Whose backward pass leaves all that the bucket's reduction waits for.
  std::size_t ready_stage(std::size_t index) const {
    const std::vector<Bucket>& buckets = iteration_.buckets;
    return static_cast<std::size_t>((job_.overlap ? buckets[index] : buckets.back()).first_stage);
  }

  void add_bucket(const Chain& chain, std::size_t index, Coding& coding) {
    const auto in_flight = static_cast<std::size_t>(job_.buckets_in_flight);
    std::vector<After> after{chain.gradients_of[ready_stage(index)]};
    if (index >= in_flight) append(finished_[index - in_flight], after);
    const std::vector<CodedGroup> groups = coded_groups(job_, network_, iteration_.buckets[index]);
    if (groups.empty()) {
      finished_[index] = reduce_in_place("all-reduce ", kGradients, index, after);
      return;
    }
    for (std::size_t g = 0; g < groups.size(); ++g) {
      append(coding.add(groups[g], static_cast<std::int32_t>(index), after,
                        stream_of(place_of(index) + g * static_cast<std::size_t>(job_.streams))),
             finished_[index]);
      iteration_.codes.push_back(groups[g].group);
    }
  }

  /// Adds up the ranks' elements of a bucket; returns what is there when that is over.
  std::vector<After> reduce_in_place(const std::string& name, std::uint32_t buffer,
                                     std::size_t index, const std::vector<After>& after) {
    const Bucket& bucket = iteration_.buckets[index];
    const auto streams = static_cast<std::size_t>(job_.streams);
    std::vector<After> over;
    for (std::size_t part = 0; part < streams; ++part) {
      const schedule::Slice slice =
          collectives::part_of({buffer, bucket.first, bucket.count}, part, streams);
      over.push_back({next_fragment()});
      add(all_reduce(name + std::to_string(index) + (streams > 1 ? "." + std::to_string(part) : ""),
                     static_cast<std::int32_t>(index), slice, place_of(index) + part, after));
    }
    return over;
  }

  void add(Fragment fragment) {
    fragment.when = when_;
    iteration_.schedule.fragments.push_back(std::move(fragment));
  }
  std::uint32_t next_fragment() const {
    return static_cast<std::uint32_t>(iteration_.schedule.fragments.size());
  }
  After last() const { return {next_fragment() - 1}; }

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

  void add_update(std::size_t index, const std::vector<After>& after) {
    std::vector<Step> steps;
    if (job_.noise_scale)
      steps.push_back(on_bucket(index, {.kind = WorkKind::WholeNorm}, kGradients));
    steps.push_back(on_bucket(index, {.kind = WorkKind::Update, .optimizer = job_.update.optimizer},
                              kGradients));
    steps.back().into = steps.back().from;
    steps.back().into.buffer = kParameters;
    add_steps("update ", index, steps, after);
  }

  /// Every rank's update from its own gradients; in some iterations the average behind it.
  void add_local_updates(const Chain& chain) {
    std::vector<After> updated;
    for (std::size_t b = 0; b < iteration_.buckets.size(); ++b) {
      const auto ready_stage = static_cast<std::size_t>(iteration_.buckets[b].first_stage);
      add_update(b, {chain.gradients_of[ready_stage]});
      iteration_.schedule.fragments.back().name = "local update " + std::to_string(b);
      updated.push_back(last());
    }
    when_.every = job_.local_steps;
    add_averaging(updated);
    for (std::size_t b = 0; b < iteration_.buckets.size(); ++b) {
      Step adopt = on_bucket(b, {.kind = WorkKind::Adopt}, kAverages);
      adopt.into = {kParameters, adopt.from.first, adopt.from.count};
      add_steps("adopt ", b, {adopt}, finished_[b]);
    }
  }

  /// `ready`: by bucket, when its parameters are there; empty = at once.
  void add_averaging(const std::vector<After>& ready) {
    const auto in_flight = static_cast<std::size_t>(job_.buckets_in_flight);
    for (std::size_t b = 0; b < iteration_.buckets.size(); ++b) {
      Step weigh = on_bucket(b, {.kind = WorkKind::Weigh}, kParameters);
      weigh.into = {kAverages, weigh.from.first, weigh.from.count};
      add_steps("weigh ", b, {weigh}, ready.empty() ? ready : std::vector{ready[b]});
      std::vector<After> after{last()};
      if (b >= in_flight) append(finished_[b - in_flight], after);
      finished_[b] = reduce_in_place("average ", kAverages, b, after);
    }
  }

  /// The same as a schedule by itself.
  void add_averaging_alone() {
    std::vector<Fragment> of_iteration = std::exchange(iteration_.schedule.fragments, {});
    iteration_.averaging = {.when = std::exchange(when_, {}), .alone = {}};
    add_averaging({});
    schedule::Schedule& alone = iteration_.averaging->alone;
    alone.name = "average of " + network_.name;
    alone.ranks = job_.ranks;
    alone.fragments = std::exchange(iteration_.schedule.fragments, std::move(of_iteration));
  }

  void add_steps(const std::string& name, std::size_t index, const std::vector<Step>& steps,
                 const std::vector<After>& after) {
    Fragment fragment =
        listed(name + std::to_string(index), static_cast<std::int32_t>(index), steps);
    fragment.after = after;
    add(std::move(fragment));
  }

  /// A computation that reads a bucket's part of a buffer.
  Step on_bucket(std::size_t index, Work work, std::uint32_t buffer) {
    const Bucket& bucket = iteration_.buckets[index];
    work.first = bucket.first;
    work.count = bucket.count;
    return {.verb = Verb::Compute,
            .lane = Lane::Compute,
            .target = row_of(work),
            .from = {buffer, bucket.first, bucket.count}};
  }

  /// Its number in the work table, once for all iterations that have it.
  std::int32_t row_of(const Work& work) {
    const auto known = std::ranges::find(iteration_.works, work);
    const auto row = static_cast<std::int32_t>(known - iteration_.works.begin());
    if (known == iteration_.works.end()) iteration_.works.push_back(work);
    return row;
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
  schedule::Recurrence when_;                 // of the fragments that are being added
  std::vector<std::vector<After>> finished_;  // [bucket] when it is reduced
  std::size_t runs_ = 0;
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

std::vector<Iteration::Claim> Iteration::claims() const {
  const auto whole = [&](std::uint32_t buffer) {
    return schedule::Contract{.buffer = buffer,
                              .holds_contributions_at_start = false,
                              .slice = {buffer, 0, schedule.buffers[buffer].count}};
  };
  std::vector<Claim> claims;
  if (service) {
    claims.push_back({schedule, service->contract});
    for (const schedule::Contract& contract : contracts_of_gathering(buckets))
      claims.push_back({service->gather, contract});
    return claims;
  }
  for (const std::int32_t number : different_iterations(schedule)) {
    const schedule::Schedule running = in_iteration(schedule, number);
    if (averaging && number >= averaging->when.first) {
      schedule::Contract averages = whole(kAverages);
      if (!averaging->when.includes(number)) averages.slice.count = 0;  // it must end all the same
      claims.push_back({running, averages});
      continue;
    }
    claims.push_back({running, whole(kGradients)});
    if (synchronises) claims.push_back({running, whole(kSums)});
  }
  if (averaging) claims.push_back({averaging->alone, whole(kAverages)});
  return claims;
}

Iteration make_iteration(const Job& job, const Network& network,
                         const std::vector<std::int32_t>& groups) {
  return IterationBuilder(job, network, groups).build();
}

}  // namespace lockstep::training
