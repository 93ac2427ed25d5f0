// SPDX-License-Identifier: Apache-2.0
// lockstep bench network: how fast a network trains on this machine, row by row against the
// roofline.
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "cli/bench_network_json.h"
#include "cli/command_line.h"
#include "cli/prediction.h"
#include "exec/calibration/row_timing.h"
#include "exec/transport/clock.h"
#include "models/base/errors.h"
#include "models/base/units.h"
#include "models/cost/fit.h"
#include "models/network/work.h"
#include "models/results/result.h"
#include "models/training/iteration.h"

namespace lockstep::cli {

namespace {

using network::WorkKind;

/// Enough passes for a median of about three seconds, at least five.
std::int32_t passes_for(const training::Job& job, const network::Network& network,
                        double flops_per_second) {
  constexpr double kSeconds = 3;
  const double flops = static_cast<double>(network.flops_forward() + network.flops_backward());
  const double expected = flops * job.batch / (0.7 * flops_per_second);
  return static_cast<std::int32_t>(std::clamp(kSeconds / expected, 5.0, 1000.0));
}

NetworkBench measure(const training::Job& job, const network::Network& network) {
  NetworkBench bench{.network = network.name, .batch = job.batch, .threads = job.threads};
  bench.peak_flops = exec::peak_flops() * job.threads;
  const exec::RowTimes times =
      exec::time_rows_on_noise(job, network, passes_for(job, network, bench.peak_flops));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  bench.peak_memory_bytes = std::uint64_t{1024} * static_cast<std::uint64_t>(usage.ru_maxrss);
  bench.memory_bandwidth = exec::memory_bandwidth(job.threads);  // takes memory of its own
  bench.iteration_seconds = cost::median(times.passes);
  const training::Iteration iteration = training::make_iteration(job, network);
  const std::vector<std::string> names = training::work_names(iteration, network);
  for (std::size_t row = 0; row < times.rows.size(); ++row) {
    const network::Work& work = iteration.works[row];
    if (work.kind == WorkKind::Input) continue;
    const network::Quantities per_unit = network::quantities(work, network);
    const auto units = static_cast<double>(network::units(work, job.batch));
    bench.rows.push_back({.name = names[row],
                          .signature = cost::row_name(work, network).signature,
                          .seconds = times.rows[row],
                          .flops = per_unit.flops_per_unit * units,
                          .bytes = per_unit.bytes_per_unit * units + per_unit.bytes_fixed});
  }
  return bench;
}

void print(const NetworkBench& bench) {
  std::printf("%s, batch %d, %d thread(s): %.1f images/s, %s an iteration\n", bench.network.c_str(),
              bench.batch, bench.threads, bench.images_per_second(),
              format_seconds(bench.iteration_seconds).c_str());
  std::printf("%.1f GFLOP/s, %.0f %% of the peak of %.1f; memory %s; resident at most %s\n",
              bench.flops_per_second() / 1e9, 100 * bench.share_of_peak(), bench.peak_flops / 1e9,
              format_bandwidth(bench.memory_bandwidth).c_str(),
              format_bytes(static_cast<double>(bench.peak_memory_bytes)).c_str());
  std::printf("%-34s %10s %6s %9s %9s %9s  %s\n", "row", "time", "", "GFLOP/s", "GB/s", "roofline",
              "what it does");
  for (const BenchRow& row : bench.rows)
    std::printf("%-34s %10s %5.1f%% %9.1f %9.1f %7.0f %%  %s\n", row.name.c_str(),
                format_seconds(row.seconds).c_str(), 100 * row.seconds / bench.iteration_seconds,
                row.flops / row.seconds / 1e9, row.bytes / row.seconds / 1e9,
                100 * bench.bound_seconds(row) / row.seconds, row.signature.c_str());
}

}  // namespace

int run_bench_network(const Arguments& arguments) {
  options::options_description flags(
      "lockstep bench network NAME [flags]\n\n"
      "Trains a network of the zoo, or a JSON file, on random images in memory, and says what "
      "each\n"
      "row of an iteration takes against the roofline: its FLOPs at the processors' peak or its\n"
      "bytes at the memory's bandwidth, whichever takes longer. (What stays in a cache may be\n"
      "faster than memory, and windows that hang over an edge have less to multiply than is\n"
      "counted: both can give more than 100 %.)\nFlags");
  auto add = flags.add_options();
  add("help", "this text");
  add("batch", options::value<std::string>()->default_value("32"), "images per iteration");
  add("threads", options::value<std::string>()->default_value("1"), "computing threads");
  add("out", options::value<std::string>(), "write the figures as JSON");
  options::options_description all;
  all.add(flags);
  all.add_options()("network", options::value<std::vector<std::string>>());
  const options::variables_map values = parse(all, arguments, "network");
  if (values.count("help")) {
    std::cout << flags;
    return kFine;
  }
  check_outputs(values, {"out"});
  if (!values.count("network") || values["network"].as<std::vector<std::string>>().size() != 1)
    throw ConfigError("bench network", "expected the name of one network");
  const network::Network network =
      network::load_network(values["network"].as<std::vector<std::string>>().front());
  training::Job job;
  job.batch = static_cast<std::int32_t>(whole_number(values, "batch", 1, 1 << 16));
  job.threads = static_cast<std::int32_t>(whole_number(values, "threads", 1, 4096));
  const NetworkBench bench = measure(job, network);
  print(bench);
  if (values.count("out"))
    results::write_file(values["out"].as<std::string>(), to_json(bench, provenance(job.seed)));
  return kFine;
}

}  // namespace lockstep::cli
