// SPDX-License-Identifier: Apache-2.0
// lockstep bench: picks the benchmark.
#include <cstdio>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "models/base/errors.h"

namespace lockstep::cli {

namespace {

struct Benchmark {
  const char* name;
  const char* does;
  int (*run)(const Arguments&);
};

constexpr Benchmark kBenchmarks[] = {
    {"allreduce", "time all-reduces over sizes and algorithms, predicted beside measured",
     run_bench_allreduce},
    {"codec", "encode a network's gradients: speed, bytes, error", run_bench_codec},
    {"network", "train a network on random images, row by row against the roofline",
     run_bench_network},
    {"simulate", "time the simulator itself: messages per second, memory", run_bench_simulate},
};

void print_usage() {
  std::puts("usage: lockstep bench BENCHMARK [flags]      --help after a benchmark's name\n");
  for (const Benchmark& benchmark : kBenchmarks)
    std::printf("  %-10s %s\n", benchmark.name, benchmark.does);
}

}  // namespace

int run_bench(const Arguments& arguments) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h") {
    print_usage();
    return arguments.empty() ? kBadInput : kFine;
  }
  std::vector<std::string> names;
  for (const Benchmark& benchmark : kBenchmarks) {
    if (arguments[0] == benchmark.name)
      return benchmark.run(Arguments(arguments.begin() + 1, arguments.end()));
    names.emplace_back(benchmark.name);
  }
  const std::string guess = nearest(arguments[0], names.data(), names.data() + names.size());
  throw ConfigError("bench", "unknown benchmark \"" + arguments[0] + "\"" +
                                 (guess.empty() ? ", see lockstep bench --help"
                                                : "; did you mean " + guess + "?"));
}

}  // namespace lockstep::cli
