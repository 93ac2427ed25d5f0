// SPDX-License-Identifier: Apache-2.0
#include "cli/learning.h"

#include <limits>

#include "models/training/batch_growth.h"
#include "models/training/noise_scale.h"

namespace lockstep::cli {

namespace {

using exec::RankRecord;

/// Smoothed, after every iteration.
std::vector<double> noise_scales(const std::vector<RankRecord>& records, const training::Job& job,
                                 std::int32_t iterations_done) {
  std::vector<double> scales;
  training::NoiseScale scale;
  for (std::size_t i = 0; i < records.front().whole_squares.size(); ++i) {
    double parts = 0;
    for (const RankRecord& record : records)
      parts += record.part_squares[i];
    const training::Job now = training::job_in(job, iterations_done + static_cast<std::int32_t>(i));
    scale.add(training::gradient_norms(now, parts, records.front().whole_squares[i]));
    scales.push_back(scale.images().value_or(std::numeric_limits<double>::quiet_NaN()));
  }
  return scales;
}

/// The test accuracy at every `test_every` iterations.
std::vector<training::AccuracyPoint> curve_of(const std::vector<RankRecord>& records,
                                              std::int32_t test_every,
                                              std::int32_t iterations_done) {
  std::vector<training::AccuracyPoint> curve;
  for (std::size_t i = 0; i + 1 < records.front().curve.size(); i += 2) {
    std::uint64_t tested = 0, correct = 0;
    for (const RankRecord& record : records) {
      tested += record.curve[i];
      correct += record.curve[i + 1];
    }
    const auto times = static_cast<std::int32_t>(i / 2 + 1);
    if (tested > 0)
      curve.push_back({iterations_done + times * test_every,
                       static_cast<double>(correct) / static_cast<double>(tested)});
  }
  return curve;
}

}  // namespace

results::Learning learning_of(const std::vector<RankRecord>& records, const training::Job& job,
                              std::int32_t test_every, std::int32_t iterations_done) {
  results::Learning learning;
  learning.loss.resize(static_cast<std::size_t>(job.iterations));
  std::vector<double> batches;
  for (const training::Phase& phase : training::phases_of(job, iterations_done))
    batches.insert(batches.end(), static_cast<std::size_t>(phase.iterations), phase.job.batch);
  std::int32_t tested = 0;
  std::int32_t correct = 0;
  for (const RankRecord& record : records) {
    for (std::size_t i = 0; i < record.loss_sums.size(); ++i)
      learning.loss[i] += record.loss_sums[i] / batches[i];
    tested += record.tested;
    correct += record.correct;
  }
  if (tested > 0) learning.test_accuracy = static_cast<double>(correct) / tested;
  if (test_every > 0) learning.curve = curve_of(records, test_every, iterations_done);
  if (job.noise_scale) learning.noise_scale = noise_scales(records, job, iterations_done);
  return learning;
}

}  // namespace lockstep::cli
