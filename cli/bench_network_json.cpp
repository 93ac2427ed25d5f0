// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_network_json.h"

#include "models/base/object_json.h"

namespace lockstep::cli {

std::string to_json(const NetworkBench& bench, const results::Provenance& provenance) {
  Json rows = Json::array();
  for (const BenchRow& row : bench.rows)
    rows.push_back({{"name", row.name},
                    {"signature", row.signature},
                    {"seconds", row.seconds},
                    {"flops", row.flops},
                    {"bytes", row.bytes},
                    {"roofline_seconds", bench.bound_seconds(row)}});
  return to_text(
      {{"schema", "lockstep.bench-network/1"},
       {"network", bench.network},
       {"batch", bench.batch},
       {"threads", bench.threads},
       {"images_per_second", bench.images_per_second()},
       {"iteration_seconds", bench.iteration_seconds},
       {"flops_per_second", bench.flops_per_second()},
       {"peak_flops_per_second", bench.peak_flops},
       {"share_of_peak", bench.share_of_peak()},
       {"memory_bytes_per_second", bench.memory_bandwidth},
       {"peak_memory_bytes", bench.peak_memory_bytes},
       {"rows", rows},
       {"provenance",
        {{"version", provenance.version}, {"host", provenance.host}, {"time", provenance.time}}}});
}

}  // namespace lockstep::cli
