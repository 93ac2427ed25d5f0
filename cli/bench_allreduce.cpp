// SPDX-License-Identifier: Apache-2.0
// lockstep bench allreduce: times all-reduces over sizes and algorithms, predicted beside measured.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>

#include "cli/bench_plan.h"
#include "cli/command_line.h"
#include "cli/prediction.h"
#include "cli/rank_flags.h"
#include "exec/calibration/collective_timing.h"
#include "exec/launch/binding.h"
#include "models/results/result.h"

namespace lockstep::cli {

namespace {

options::options_description bench_flags() {
  options::options_description flags(
      "lockstep bench allreduce [flags]\n\n"
      "Times all-reduces of float32 in place, as nccl-tests does, between local ranks, or as one\n"
      "rank of several machines (--rank, --rendezvous; the same flags everywhere). With --machine\n"
      "also predicts them. Of several algorithms one repetition follows another in turn.\nFlags");
  add_bench_plan_options(flags);
  flags.add_options()("repetitions", options::value<std::string>(),
                      "of each all-reduce (default 9)")("out", options::value<std::string>(),
                                                        "write the rows as JSON");
  add_rank_options(flags);
  return flags;
}

/// So many that one repetition takes some milliseconds and what begins and ends it does not count.
std::int32_t back_to_back(std::uint64_t bytes) {
  return bytes <= 64 << 10 ? 200 : bytes <= 1 << 20 ? 50 : bytes <= 16 << 20 ? 10 : 3;
}

/// All ranks of the session; the rows are complete on rank 0 only.
std::vector<BenchRow> run_cases(exec::Session& session, const std::vector<BenchCase>& cases,
                                const BenchPlan& plan, std::int32_t repetitions) {
  std::vector<schedule::Schedule> schedules;
  std::uint64_t floats = 0;
  for (const BenchCase& each : cases) {
    schedules.push_back(plan.schedule(each));
    floats = std::max(floats, exec::floats_for(schedules.back()));
  }
  const std::span<std::byte> bytes = session.allocate(floats * sizeof(float));
  const std::span<float> memory(reinterpret_cast<float*>(bytes.data()), floats);
  std::vector<std::unique_ptr<exec::CollectiveTimer>> timers;
  std::vector<BenchRow> rows;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    timers.push_back(std::make_unique<exec::CollectiveTimer>(session, schedules[i], memory));
    BenchRow& row = rows.emplace_back();
    row.measured = cases[i];
    for (const std::string& of_rank : session.gather(std::to_string(timers[i]->count_errors())))
      row.errors += std::stoull(of_rank);
  }
  // In turn, so that a moment in which the machine is disturbed spoils nobody's median.
  for (std::int32_t repetition = -1; repetition < repetitions; ++repetition)
    for (std::size_t i = 0; i < cases.size(); ++i) {
      const double seconds = timers[i]->seconds(back_to_back(cases[i].bytes));
      if (repetition >= 0) rows[i].seconds.push_back(seconds);  // the first one warms up
    }
  return rows;
}

void print_rows(const std::vector<BenchRow>& rows, std::int32_t ranks) {
  std::printf("%12s %12s %8s %6s %12s %8s %8s %12s %8s %7s  %s\n", "size", "count", "type", "redop",
              "time", "algbw", "busbw", "predicted", "error", "#wrong", "algorithm");
  std::printf("%12s %12s %8s %6s %12s %8s %8s %12s %8s %7s\n", "(B)", "(elements)", "", "", "(us)",
              "(GB/s)", "(GB/s)", "(us)", "", "");
  for (const BenchRow& row : rows) {
    const BenchCase& each = row.measured;
    const double seconds = row.quantile(0.5);
    std::string predicted = "-", error = "-";
    if (each.predicted_seconds > 0) {
      char text[32];
      std::snprintf(text, sizeof text, "%.1f", 1e6 * each.predicted_seconds);
      predicted = text;
      std::snprintf(text, sizeof text, "%+.1f %%", 100 * (each.predicted_seconds / seconds - 1));
      error = text;
    }
    std::printf("%12llu %12llu %8s %6s %12.1f %8.3f %8.3f %12s %8s %7llu  %s%s\n",
                static_cast<unsigned long long>(each.bytes),
                static_cast<unsigned long long>(each.bytes / sizeof(float)), "float", "sum",
                1e6 * seconds, algorithm_bandwidth(each.bytes, seconds) / 1e9,
                bus_bandwidth(each.bytes, seconds, ranks) / 1e9, predicted.c_str(), error.c_str(),
                static_cast<unsigned long long>(row.errors), describe(each).c_str(),
                each.chosen ? " (auto)" : "");
  }
}

}  // namespace

int run_bench_allreduce(const Arguments& arguments) {
  return run_bench_allreduce_in(nullptr, arguments);
}

int run_bench_allreduce_in(const exec::Testbed* testbed, const Arguments& arguments) {
  options::options_description all = bench_flags();
  add_launcher_options(all);
  const options::variables_map values = parse(all, arguments);
  if (values.count("help")) {
    std::cout << bench_flags();
    return kFine;
  }
  check_outputs(values, {"out"});
  const auto repetitions = static_cast<std::int32_t>(
      values.count("repetitions") ? whole_number(values, "repetitions", 1, 10'000) : 9);
  const bool decides = !is_rank(values) || whole_number(values, "rank", 0, 1 << 20) == 0;
  const BenchPlan plan(values, decides);
  const std::int32_t ranks = plan.job().ranks;
  exec::RankOptions rank = rank_options(values, ranks);
  if (!is_rank(values) && (ranks > 1 || testbed != nullptr)) {
    Arguments command{"bench", "allreduce"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return launch_ranks(command, values, plan.host_of_rank(), testbed);
  }
  rank.intra_host = plan.job().intra_host;
  exec::Session session(rank, rank.rank == 0 ? to_json(plan.cases()) : "");
  if (!values.count("no-binding")) exec::bind_to_share(session, 1);
  const std::vector<BenchRow> rows =
      run_cases(session, parse_bench_cases(session.resolved_job()), plan, repetitions);
  session.leave();
  if (rank.rank != 0) return kFine;
  print_rows(rows, ranks);
  if (values.count("out"))
    results::write_file(values["out"].as<std::string>(),
                        to_json(rows, ranks, name_of(plan.job().intra_host)));
  const bool all_right =
      std::all_of(rows.begin(), rows.end(), [](const BenchRow& row) { return row.errors == 0; });
  return all_right ? kFine : kCheckFailed;
}

}  // namespace lockstep::cli
