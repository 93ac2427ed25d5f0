// SPDX-License-Identifier: Apache-2.0
// What a rank tells rank 0 about an iteration while it trains, for the line that people watch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep::exec {

struct IterationReport {
  std::int32_t iteration = 0;
  std::int32_t images = 0;     // of this rank's share
  double loss = 0;             // of this rank's share, as the rank defines it
  double part_squares = 0;     // of its micro-batches' gradients, for the noise scale; else 0
  double whole_square = 0;     // of the batch's gradient, likewise
  double seconds = 0;          // of the iteration
  double exposed_seconds = 0;  // compute lane idle while communication is outstanding
};

std::string encode(const IterationReport& report);
/// Throws WireError.
IterationReport decode_report(std::string_view body);

}  // namespace lockstep::exec
