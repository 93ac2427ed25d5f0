// SPDX-License-Identifier: Apache-2.0
#include "sim/runner/record.h"

#include <algorithm>
#include <utility>

namespace lockstep::sim {

Record::Record(const schedule::Schedule& schedule, const Options& options, const Folding& folding)
    : folding_(folding),
      schedule_(schedule),
      options_(options),
      ranks_(static_cast<std::size_t>(folding.simulated_ranks())) {
  std::int32_t buckets = 0;
  for (const schedule::Fragment& fragment : schedule.fragments)
    buckets = std::max(buckets, fragment.bucket + 1);
  for (std::size_t rank = 0; rank < options.starts.size(); ++rank)
    ranks_[rank].start = options.starts[rank];
  for (OfRank& rank : ranks_) {
    rank.buckets.resize(static_cast<std::size_t>(buckets));
    rank.bucket_times.resize(static_cast<std::size_t>(buckets));
    rank.iterations.reserve(static_cast<std::size_t>(options.iterations));
  }
  run_.bucket_seconds.resize(static_cast<std::size_t>(buckets));
}

void Record::completed(Rank rank, const schedule::StartedStep& step, Time start, Time sent,
                       Time now) {
  OfRank& own = of(rank);
  const schedule::Fragment& fragment = schedule_.fragments[step.fragment];
  const bool communicates = step.step->lane == schedule::Lane::Communication;
  if (fragment.bucket >= 0 && communicates) {
    Span& span = own.buckets[static_cast<std::size_t>(fragment.bucket)];
    span.first = std::min(span.first, start);
    span.last = std::max(span.last, now);
  }
  const schedule::Step& what = *step.step;
  switch (what.lane) {
    case schedule::Lane::Compute:
      own.recorder.computed(start, now);
      break;
    case schedule::Lane::Communication:
      own.recorder.communicated(start, sent, now);
      break;
    case schedule::Lane::Input:
      break;
  }
  const std::int32_t iteration =
      step.iteration - options_.first_iteration - options_.warm_up_iterations;
  if (!options_.record_spans || iteration < 0 || iteration >= options_.iterations) return;
  const bool is_message = what.verb == schedule::Verb::Send || what.verb == schedule::Verb::Recv;
  const bool has_bytes = is_message || what.verb == schedule::Verb::Combine || is_coding(what);
  run_.spans.push_back(
      {.rank = rank,
       .lane = what.lane,
       .fragment = step.fragment,
       .step = step.index,
       .iteration = iteration,
       .start = start,
       .end = now,
       .bytes = has_bytes
                    ? schedule_.bytes(what.verb == schedule::Verb::Recv ? what.into : what.from)
                    : 0,
       .peer = is_message ? what.target : -1});
}

bool Record::end_iteration(Rank rank, Time now) {
  OfRank& own = of(rank);
  const results::IterationFigures figures = own.recorder.finish(own.start, now);
  if (is_measured(rank)) {
    own.iterations.push_back(figures);
    for (std::size_t bucket = 0; bucket < own.buckets.size(); ++bucket)
      if (own.buckets[bucket].first < own.buckets[bucket].last)
        own.bucket_times[bucket] += own.buckets[bucket].last - own.buckets[bucket].first;
  }
  std::fill(own.buckets.begin(), own.buckets.end(), Span{});
  own.start = now;
  // What takes no time would go on for ever at one time.
  return ++own.iteration < options_.warm_up_iterations + options_.iterations ||
         (options_.goes_on && figures.end > figures.start);
}

SimulatedRun Record::take() {
  for (Rank rank = 0; rank < schedule_.ranks; ++rank) {
    run_.iterations.push_back(of(rank).iterations);
    run_.bytes_sent.push_back(of(rank).bytes_sent);
  }
  const double count = static_cast<double>(schedule_.ranks) * options_.iterations;
  for (std::size_t bucket = 0; bucket < run_.bucket_seconds.size(); ++bucket) {
    double sum = 0;
    for (Rank rank = 0; rank < schedule_.ranks; ++rank)
      sum += of(rank).bucket_times[bucket].seconds();
    run_.bucket_seconds[bucket] = sum / count;
  }
  run_.simulated_ranks = folding_.simulated_ranks();
  return std::move(run_);
}

}  // namespace lockstep::sim
