// SPDX-License-Identifier: Apache-2.0
// The clock all ranks agree on: time since rank 0 opened the job.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "models/base/units.h"

namespace lockstep::exec {

/// Nanoseconds of this host's own steady clock; its zero means nothing.
inline std::int64_t steady_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

/// "5 s", "0.25 s".
std::string describe_seconds(std::chrono::nanoseconds span);

/// A value: this host's steady clock, moved so that it reads like rank 0's.
struct Clock {
  std::int64_t zero_ns = 0;  // what steady_ns() was here when rank 0's clock was 0

  std::int64_t now_ns() const { return steady_ns() - zero_ns; }
  static constexpr Time time_of(std::int64_t ns) { return Time{ns * 1000}; }
};

}  // namespace lockstep::exec
