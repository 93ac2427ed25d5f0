// SPDX-License-Identifier: Apache-2.0
// The line that people watch while a job trains: on a terminal only.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>

#include "exec/launch/iteration_report.h"
#include "models/base/ids.h"
#include "models/training/job.h"
#include "models/training/noise_scale.h"

namespace lockstep::cli {

/// Takes reports of all ranks, from any thread; rewrites one line of stderr a few times a second:
/// iteration, loss, images/s, share of time in communication, time left.
class ProgressLine {
 public:
  /// `predicted_seconds`: of an iteration, to be shown beside; 0 = none. The job's iterations come
  /// after `iterations_done` others.
  ProgressLine(const training::Job& job, double predicted_seconds, std::int32_t iterations_done);
  void report(Rank rank, const exec::IterationReport& report);
  /// Clears the line.
  void finish();

 private:
  struct Sum {
    std::int32_t ranks = 0;
    std::int32_t images = 0;
    double loss = 0;
    double seconds = 0;
    double exposed = 0;
    double part_squares = 0;
    double whole_square = 0;
  };
  void print(std::int32_t iteration, const Sum& sum);

  training::Job job_;
  double predicted_seconds_;
  std::int32_t iterations_done_;
  bool on_terminal_;
  std::mutex mutex_;
  std::map<std::int32_t, Sum> open_;  // iterations that not all ranks have reported yet
  double smoothed_seconds_ = 0;
  double smoothed_exposed_ = 0;
  double since_print_ = 0;
  training::NoiseScale noise_scale_;
};

}  // namespace lockstep::cli
