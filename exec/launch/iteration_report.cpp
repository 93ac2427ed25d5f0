// SPDX-License-Identifier: Apache-2.0
#include "exec/launch/iteration_report.h"

#include "exec/transport/wire.h"

namespace lockstep::exec {

std::string encode(const IterationReport& report) {
  std::string body;
  put(body, report.iteration);
  put(body, report.images);
  put(body, report.loss);
  put(body, report.part_squares);
  put(body, report.whole_square);
  put(body, report.seconds);
  put(body, report.exposed_seconds);
  return body;
}

IterationReport decode_report(std::string_view body) {
  IterationReport report;
  report.iteration = take<std::int32_t>(body);
  report.images = take<std::int32_t>(body);
  report.loss = take_double(body);
  report.part_squares = take_double(body);
  report.whole_square = take_double(body);
  report.seconds = take_double(body);
  report.exposed_seconds = take_double(body);
  take_end(body);
  return report;
}

}  // namespace lockstep::exec
