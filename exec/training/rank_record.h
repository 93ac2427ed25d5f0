// SPDX-License-Identifier: Apache-2.0
// What a rank hands to rank 0 when its training is over.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/image_set.h"
#include "models/base/units.h"
#include "models/results/recorder.h"
#include "models/results/trace.h"

namespace lockstep::exec {

struct RankRecord {
  std::vector<results::IterationFigures> figures;  // of every iteration
  std::vector<double> loss_sums;                   // of every iteration, over the rank's images
  std::vector<double> part_squares;       // of every iteration (Learner); empty if not asked for
  std::vector<double> whole_squares;      // likewise, alike on all ranks
  std::vector<Time> bucket_times;         // of every iteration and bucket
  std::vector<std::uint64_t> bytes_sent;  // to each rank, all iterations
  std::vector<results::TraceSpan> spans;
  std::vector<Fault> faults;      // files that this rank could not use
  std::int64_t images_read = 0;   // for training
  double input_core_seconds = 0;  // processor time that took
  /// Of its share of the test images, each time they are tested while training goes on: how many
  /// were classified, and how many of them correctly.
  std::vector<std::uint64_t> curve;
  std::int32_t tested = 0;   // test images this rank has classified
  std::int32_t correct = 0;  // of which correctly
};

std::string encode(const RankRecord& record);
/// Throws WireError when the text is not a whole record.
RankRecord decode_record(std::string_view text);

}  // namespace lockstep::exec
