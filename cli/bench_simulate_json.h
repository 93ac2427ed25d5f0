// SPDX-License-Identifier: Apache-2.0
// What lockstep bench simulate measured.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep::cli {

/// One simulated all-reduce.
struct SimulatorRow {
  std::string algorithm;
  std::string topology;
  std::int32_t ranks = 0;
  std::uint64_t bytes = 0;
  bool contended = false;
  std::uint64_t messages = 0;
  std::uint64_t events = 0;
  std::int32_t simulated_ranks = 0;  // fewer than ranks when folded
  double simulated_seconds = 0;
  /// Of a bracket: with the smaller chunks; all else is with the larger ones.
  std::optional<double> least_seconds{};
  bool is_bound = false;              // whether the exact time lies between the two for certain
  double setup_seconds = 0;           // making topology, schedule and cost model
  std::vector<double> run_seconds{};  // of each repetition
  double whole_seconds = 0;           // of the command until now, all repetitions
  std::uint64_t peak_bytes = 0;       // of memory, of the whole process so far

  double median_run_seconds() const;
  /// With the time for making everything.
  double messages_per_second() const;
};

/// {"rows": [{"algorithm", …}]}: the members of SimulatorRow.
std::string to_json(const std::vector<SimulatorRow>& rows);

}  // namespace lockstep::cli
