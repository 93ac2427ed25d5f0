// SPDX-License-Identifier: Apache-2.0
// Batches that grow: which batch when, where in the data, at what rate.
#include "models/training/batch_growth.h"

#include <catch2/catch.hpp>

#include "models/base/errors.h"
#include "models/training/job_json.h"

using namespace lockstep;
using training::DataPlace;
using training::Job;
using training::Phase;

namespace {

Job growing(const std::string& growth, std::int32_t iterations) {
  Job job;
  job.batch = 10;
  job.iterations = iterations;
  training::set_field(job, "batch_growth", growth, "--batch-growth");
  return job;
}

}  // namespace

TEST_CASE("batch growth: the batches of a job, exactly", "[training]") {
  const Job job = growing("2@5,1.5@8", 12);
  std::vector<std::int32_t> batches;
  for (std::int32_t i = 0; i < 12; ++i)
    batches.push_back(training::job_in(job, i).batch);
  CHECK(batches == std::vector<std::int32_t>{10, 10, 10, 10, 10, 20, 20, 20, 30, 30, 30, 30});
  CHECK(training::largest_batch(job) == 30);
  // 5 · 10 + 3 · 20 + 4 · 30 = 230 images in 12 iterations.
  CHECK(training::mean_batch(job, 0) == Approx(230.0 / 12));
  CHECK(training::describe_batches(job) == "10, from iteration 5 on 20, from iteration 8 on 30");
  // Micro-batches: 2 of 5, then 4 of 5, then 6 of 5.
  Job accumulating = job;
  accumulating.accumulate = 2;
  CHECK(training::job_in(accumulating, 7).accumulate == 4);
  CHECK(training::job_in(accumulating, 8).accumulate == 6);
  CHECK(training::job_in(growing("1.25@1", 3), 1).batch == 13);  // 12.5
  CHECK(training::job_in(growing("1.25@1", 3), 1).accumulate == 2);
}

TEST_CASE("batch growth: phases cover the iterations, from wherever they go on", "[training]") {
  for (std::int32_t done = 0; done < 12; ++done) {
    const Job job = growing("2@5,1.5@8", 12 - done);
    std::int32_t next = done;
    for (const Phase& phase : training::phases_of(job, done)) {
      CHECK(phase.first == next);
      CHECK(phase.iterations > 0);
      CHECK(phase.first + phase.job.iterations == 12);
      for (std::int32_t i = phase.first; i < phase.first + phase.iterations; ++i)
        CHECK(training::job_in(job, i).batch == phase.job.batch);
      CHECK(phase.job.batch_growth.empty());
      next += phase.iterations;
    }
    CHECK(next == 12);
  }
  CHECK(training::phases_of(growing("2@5", 0)).size() == 1);
}

TEST_CASE("batch growth: noise for its rate is as with a rate that falls", "[training]") {
  // Smith et al. 2018, eq. 1: the noise of the updates is about rate · images / batch.
  Job grows = growing("2@5,4@8", 12);
  grows.rate = {.scaling = training::RateScaling::Linear, .base_batch = 5, .warm_up = 3};
  Job falls = grows;
  falls.batch_growth.clear();
  const double base = grows.learning_rate;
  for (std::int32_t i = 0; i < 12; ++i) {
    const Job now = training::job_in(grows, i);
    const double rate = training::rate_at(now.rate, now.learning_rate, now.batch, i, 12);
    const double fallen = (i < 5   ? 1.0
                           : i < 8 ? 0.5
                                   : 0.125) *
                          training::rate_at(falls.rate, base, falls.batch, i, 12);
    CHECK(rate / now.batch == Approx(fallen / falls.batch));
  }
}

TEST_CASE("batch growth: a batch begins where the one before it ended", "[training]") {
  // 45 images: an epoch is 4 batches of 10, or 2 of 20.
  const Job job = growing("2@6", 12);
  std::vector<DataPlace> places;
  for (std::int32_t i = 0; i < 10; ++i)
    places.push_back(training::place_of(job, 45, i));
  CHECK(places == std::vector<DataPlace>{{0, 0},
                                         {0, 10},
                                         {0, 20},
                                         {0, 30},
                                         {1, 0},
                                         {1, 10},
                                         {1, 20},  // batches of 20 from here on
                                         {2, 0},   // 5 images are left over
                                         {2, 20},
                                         {3, 0}});
  // What is left of the epoch, 15, is too little for 20.
  CHECK(training::place_of(growing("2@3", 9), 45, 3) == DataPlace{1, 0});
  CHECK(training::place_of(growing("2@3", 9), 45, 5) == DataPlace{2, 0});
}

TEST_CASE("batch growth: an epoch takes fewer iterations afterwards", "[training]") {
  const Job job = growing("2@8", 12);
  CHECK(training::iterations_of(job, 40, 1) == 4);
  CHECK(training::iterations_of(job, 40, 2) == 8);
  CHECK(training::iterations_of(job, 40, 3) == 10);    // 8 + 40 / 20
  CHECK(training::iterations_of(job, 40, 4.5) == 13);  // 8 + 2.5 · 2
  CHECK(training::iterations_of(job, 40, 1e30) == 1'000'000'000);
}

TEST_CASE("batch growth: what is no list of growing batches is refused", "[training]") {
  for (const char* text : {"2", "2@", "@5", "2@5;3@6", "0.5@5", "2@0", "2@5,2@5", "2@5,2@4",
                           "2@1.5", "x@5", "2@5,,3@6", "1e9@5"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(growing(text, 1), ConfigError);
  }
  const Job job = growing("2@5,1.5@8", 12);
  const Job again = training::parse_job(training::to_json(job), "job.json");
  CHECK(training::describe_batches(again) == training::describe_batches(job));
}
