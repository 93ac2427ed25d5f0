// SPDX-License-Identifier: Apache-2.0
// For libFuzzer: any bytes as the file of a sweep are refused, or are a sweep whose first and last
// configurations are refused or fit together; any bytes as a file of results are refused, or have
// best ones.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "cli/sweep_json.h"
#include "models/base/errors.h"

using namespace lockstep;

namespace {

const std::string kMachine = R"({"schema": "lockstep.machine/1", "name": "paper",
  "origin": "datasheet", "cores": 2, "flops_per_core": "100 GFLOP/s",
  "memory_bandwidth": "20 GB/s", "loopback_bandwidth": "2 GB/s", "combine_per_byte": "0.1 ns",
  "message": {"send_overhead": "5 us", "receive_overhead": "5 us", "send_core_per_byte": "0.3 ns",
              "receive_core_per_byte": "0.2 ns", "latency": "20 us", "window": "1 MiB"}})";

void try_sweep(const std::string& text) {
  try {
    const cli::Sweep sweep(text, "fuzz.json", {{"", kMachine}});
    cli::Sweep::Networks networks;
    for (const std::uint64_t number : {std::uint64_t{0}, sweep.size() - 1}) {
      try {
        const cli::Sweep::Case one = sweep.at(number, networks);
        if (one.resolved.host_of_rank.size() != static_cast<std::size_t>(one.resolved.job.ranks))
          std::abort();
      } catch (const ConfigError&) {
        sweep.line(number, "does not fit");
      }
    }
  } catch (const ConfigError&) {
  }
}

void try_results(const std::string& text) {
  try {
    cli::best_of(text, "fuzz.jsonl", "images_per_second", 3);
  } catch (const ConfigError&) {
  }
  try {
    cli::merge_sweeps({{"fuzz.jsonl", text}});
  } catch (const ConfigError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try_sweep(text);
  try_results(text);
  return 0;
}
