// SPDX-License-Identifier: Apache-2.0
// What lockstep bench allreduce measures, as rank 0 tells the others, and what comes out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/collectives/candidates.h"

namespace lockstep::cli {

/// One all-reduce to be timed.
struct BenchCase {
  std::uint64_t bytes = 0;
  collectives::Choice choice;
  bool chosen = false;           // by auto
  double predicted_seconds = 0;  // 0 = without a machine file
  std::string name;              // of a schedule that is no algorithm's, and its MSCCL text
  std::string program;
};
/// Of the schedule, for people.
std::string describe(const BenchCase& each);

struct BenchRow {
  BenchCase measured;
  std::vector<double> seconds;  // of each repetition
  std::uint64_t errors = 0;     // wrong elements, on all ranks

  double quantile(double share) const;
};

/// nccl-tests' definitions (doc/PERFORMANCE.md): bytes ÷ time, and that times 2(p−1)/p, which an
/// all-reduce that sends as little as possible can bring to the links' rate.
double algorithm_bandwidth(std::uint64_t bytes, double seconds);
double bus_bandwidth(std::uint64_t bytes, double seconds, std::int32_t ranks);

std::string to_json(const std::vector<BenchCase>& cases);
/// Throws ConfigError.
std::vector<BenchCase> parse_bench_cases(const std::string& text);

/// {"ranks", "intra_host", "rows": [{"bytes", "algorithm", "time_us" (the median), "algbw_gb_s",
/// "busbw_gb_s", "predicted_us" (null without a machine file), "errors", "times_us" (of each
/// repetition), and what else was chosen}]}.
std::string to_json(const std::vector<BenchRow>& rows, std::int32_t ranks,
                    const std::string& intra_host);

}  // namespace lockstep::cli
