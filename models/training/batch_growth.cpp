// SPDX-License-Identifier: Apache-2.0
#include "models/training/batch_growth.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace lockstep::training {

namespace {

/// Of the training: [0] is 0.
std::vector<std::int32_t> starts_of(const Job& job) {
  std::vector<std::int32_t> starts{0};
  for (const BatchGrowth& growth : job.batch_growth)
    if (growth.iteration > starts.back()) starts.push_back(growth.iteration);
  return starts;
}

}  // namespace

Job job_in(const Job& job, std::int32_t iteration) {
  Job now = job;
  double batch = job.batch;
  for (const BatchGrowth& growth : job.batch_growth)
    if (growth.iteration <= iteration) batch = std::round(batch * growth.factor);
  now.batch_growth.clear();
  if (batch == job.batch) return now;
  now.batch = static_cast<std::int32_t>(batch);
  const std::int64_t micro_batches = std::int64_t{job.accumulate} * now.batch;
  now.accumulate = static_cast<std::int32_t>((micro_batches + job.batch - 1) / job.batch);
  now.learning_rate = peak_rate(job.rate, job.learning_rate, job.batch);
  now.rate.scaling = RateScaling::None;
  return now;
}

std::vector<Phase> phases_of(const Job& job, std::int32_t done) {
  const std::vector<std::int32_t> starts = starts_of(job);
  const std::int32_t end = done + job.iterations;
  std::vector<Phase> phases;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::int32_t first = std::max(done, starts[i]);
    const std::int32_t last = i + 1 < starts.size() ? std::min(end, starts[i + 1]) : end;
    const bool is_only = job.iterations == 0 && i == 0;
    if (first >= last && !is_only) continue;
    Phase phase{.first = first, .iterations = last - first, .job = job_in(job, first)};
    phase.job.iterations = end - first;
    phases.push_back(phase);
  }
  return phases;
}

DataPlace place_of(const Job& job, std::int32_t images, std::int32_t iteration) {
  const std::vector<std::int32_t> starts = starts_of(job);
  DataPlace place;
  for (std::size_t i = 0; i < starts.size() && starts[i] < iteration; ++i) {
    const std::int32_t end = i + 1 < starts.size() ? std::min(iteration, starts[i + 1]) : iteration;
    const std::int32_t batch = job_in(job, starts[i]).batch;
    const std::int32_t here = (images - place.position) / batch, each = images / batch;
    const std::int32_t iterations = end - starts[i];
    if (iterations <= here) {
      place.position += iterations * batch;
    } else {
      const std::int32_t later = iterations - here - 1;
      place = {place.epoch + 1 + later / each, (later % each + 1) * batch};
    }
  }
  // What is left may be too little for the batch at hand: then a new epoch begins.
  if (images - place.position < job_in(job, iteration).batch) place = {place.epoch + 1, 0};
  return place;
}

std::int32_t iterations_of(const Job& job, std::int32_t images, double epochs) {
  constexpr double kMost = 1e9;
  const std::vector<std::int32_t> starts = starts_of(job);
  for (std::size_t i = 0;; ++i) {
    const double per_epoch = images / job_in(job, starts[i]).batch;
    const double last = i + 1 < starts.size() ? starts[i + 1] : kMost;
    const double iterations = std::min(starts[i] + epochs * per_epoch, last);
    if (iterations < last || i + 1 == starts.size())
      return static_cast<std::int32_t>(std::lround(iterations));
    epochs -= (last - starts[i]) / per_epoch;
  }
}

std::int32_t largest_batch(const Job& job) {
  std::int32_t largest = 0;
  for (const std::int32_t start : starts_of(job))
    largest = std::max(largest, job_in(job, start).batch);
  return largest;
}

double mean_batch(const Job& job, std::int32_t done) {
  if (job.iterations == 0) return job.batch;
  double images = 0;
  for (const Phase& phase : phases_of(job, done))
    images += static_cast<double>(phase.iterations) * phase.job.batch;
  return images / job.iterations;
}

std::string describe_batches(const Job& job) {
  std::string text = std::to_string(job.batch);
  for (const std::int32_t start : starts_of(job))
    if (start > 0)
      text += ", from iteration " + std::to_string(start) + " on " +
              std::to_string(job_in(job, start).batch);
  return text;
}

}  // namespace lockstep::training
