// SPDX-License-Identifier: Apache-2.0
// Batches that grow while the rate stays, instead of a rate that falls (Smith et al. 2018): a
// training is a sequence of phases with one batch each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/training/job.h"

namespace lockstep::training {

/// Iterations with one batch. In a phase after the first, a rank goes through its share in more
/// micro-batches, so that these grow no larger than the first phase's.
struct Phase {
  std::int32_t first = 0;       // its first iteration, counted from the training's beginning
  std::int32_t iterations = 0;  // of it, in this run
  /// The job with the phase's batch and micro-batches, and the rate of the first phase's batch;
  /// `iterations` are those from `first` to the training's end.
  Job job;
};

/// The phases of the job's iterations, which come after `done` others; at least one.
std::vector<Phase> phases_of(const Job& job, std::int32_t done = 0);

/// The job as it is in iteration `iteration` of the training: see Phase::job.
Job job_in(const Job& job, std::int32_t iteration);

/// Where in the data an iteration begins: so many images of the order of an epoch lie before it.
struct DataPlace {
  std::int32_t epoch = 0;
  std::int32_t position = 0;
  friend bool operator==(const DataPlace&, const DataPlace&) = default;
};
/// Of `images`, at least the largest batch. A batch begins where the one before it ends, and an
/// epoch when less than a batch is left of the last, which is dropped.
DataPlace place_of(const Job& job, std::int32_t images, std::int32_t iteration);

/// Epochs as iterations, to the nearest, at most 10⁹: fewer the more batches have grown.
std::int32_t iterations_of(const Job& job, std::int32_t images, double epochs);

/// The largest there is.
std::int32_t largest_batch(const Job& job);
/// Of the job's iterations, which come after `done` others: the mean of their batches.
double mean_batch(const Job& job, std::int32_t done);

/// "64, from iteration 1000 on 128".
std::string describe_batches(const Job& job);

}  // namespace lockstep::training
