// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/clock.h"

#include <cstdio>

namespace lockstep::exec {

std::string describe_seconds(std::chrono::nanoseconds span) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g s", std::chrono::duration<double>(span).count());
  return text;
}

}  // namespace lockstep::exec
