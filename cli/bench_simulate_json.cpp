// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_simulate_json.h"

#include <algorithm>

#include "models/base/object_json.h"

namespace lockstep::cli {

double SimulatorRow::median_run_seconds() const {
  std::vector<double> sorted = run_seconds;
  std::sort(sorted.begin(), sorted.end());
  return sorted[sorted.size() / 2];
}

double SimulatorRow::messages_per_second() const {
  return static_cast<double>(messages) / (setup_seconds + median_run_seconds());
}

std::string to_json(const std::vector<SimulatorRow>& rows) {
  Json list = Json::array();
  for (const SimulatorRow& row : rows) {
    list.push_back({{"algorithm", row.algorithm},
                    {"topology", row.topology},
                    {"ranks", row.ranks},
                    {"bytes", row.bytes},
                    {"contended", row.contended},
                    {"messages", row.messages},
                    {"events", row.events},
                    {"simulated_ranks", row.simulated_ranks},
                    {"simulated_seconds", row.simulated_seconds},
                    {"setup_seconds", row.setup_seconds},
                    {"run_seconds", row.run_seconds},
                    {"whole_seconds", row.whole_seconds},
                    {"messages_per_second", row.messages_per_second()},
                    {"peak_bytes", row.peak_bytes}});
    if (!row.least_seconds) continue;
    list.back()["least_seconds"] = *row.least_seconds;
    list.back()["is_bound"] = row.is_bound;
  }
  return to_text({{"rows", list}});
}

}  // namespace lockstep::cli
