// SPDX-License-Identifier: Apache-2.0
// The figures of lockstep bench network.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "models/results/result.h"

namespace lockstep::cli {

/// One row of the work table: of what it does at the least, and what it took (median).
struct BenchRow {
  std::string name;       // "forward conv1"
  std::string signature;  // "conv 3x3/1+0 28x28x1 -> 26x26x32, relu, first"
  double seconds = 0;
  double flops = 0;
  double bytes = 0;
};

struct NetworkBench {
  std::string network;
  std::int32_t batch = 0;
  std::int32_t threads = 0;
  double iteration_seconds = 0;         // median
  double peak_flops = 0;                // per second, all threads
  double memory_bandwidth = 0;          // bytes per second, all threads
  std::uint64_t peak_memory_bytes = 0;  // resident
  std::vector<BenchRow> rows{};

  double images_per_second() const { return batch / iteration_seconds; }
  double flops_per_second() const {
    double sum = 0;
    for (const BenchRow& row : rows)
      sum += row.flops;
    return sum / iteration_seconds;
  }
  double share_of_peak() const { return flops_per_second() / peak_flops; }
  /// The roofline's: no faster than FLOPs or bytes allow.
  double bound_seconds(const BenchRow& row) const {
    return std::max(row.flops / peak_flops, row.bytes / memory_bandwidth);
  }
};

/// Schema lockstep.bench-network/1; seconds, bytes, FLOPs and rates per second.
std::string to_json(const NetworkBench& bench, const results::Provenance& provenance);

}  // namespace lockstep::cli
