// SPDX-License-Identifier: Apache-2.0
// lockstep bench allreduce: times all-reduces over sizes and algorithms, predicted beside measured.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>

#include "cli/bench_rows_json.h"
#include "cli/choose.h"
#include "cli/command_line.h"
#include "cli/prediction.h"
#include "cli/rank_flags.h"
#include "exec/calibration/collective_timing.h"
#include "exec/launch/binding.h"
#include "models/base/errors.h"
#include "models/base/units.h"
#include "models/results/result.h"
#include "models/training/job_json.h"

namespace lockstep::cli {

namespace {

constexpr std::uint64_t kFloatBytes = 4;
constexpr std::uint64_t kUsualSegment = 256 << 10;

/// Flags that mean what they mean for a job.
constexpr const char* kJobFlags[] = {"ranks",    "topology", "placement",
                                     "group-by", "servers",  "intra-host"};

options::options_description bench_flags() {
  options::options_description flags(
      "lockstep bench allreduce [flags]\n\n"
      "Times all-reduces of float32 in place, as nccl-tests does, between local ranks, or as one\n"
      "rank of several machines (--rank, --rendezvous; the same flags everywhere). With --machine\n"
      "also predicts them. Of several algorithms one repetition follows another in turn.\nFlags");
  auto add = flags.add_options();
  add("help", "this text");
  add("ranks", options::value<std::string>(), "processes (default 2)");
  add("sizes", options::value<std::string>(),
      "bytes of the data, separated by commas (default 1KiB,64KiB,1MiB,16MiB,100MB)");
  add("algorithm", options::value<std::string>(),
      "separated by commas; all; or auto: the fastest predicted (default auto with --machine, else "
      "all)");
  add("segment-bytes", options::value<std::string>(),
      "largest message (0 = a whole chunk); auto: the fastest predicted (default auto with "
      "--machine, else 256 KiB)");
  add("servers", options::value<std::string>(), "of the parameter server (default 0 = all ranks)");
  add("group-by", options::value<std::string>(),
      "groups of the hierarchical algorithm: host, rack, or so many consecutive ranks");
  add("intra-host", options::value<std::string>(),
      "messages between ranks of one host: tcp (default), unix or shm");
  add("topology", options::value<std::string>(), "where the ranks are (default one_host)");
  add("placement", options::value<std::string>(), "ranks on hosts: packed or scattered");
  add("machine", options::value<std::vector<std::string>>()->composing(),
      "[KIND=]FILE: machine file, from lockstep calibrate");
  add("explain", "print all candidates with predicted times and what dominates each");
  add("repetitions", options::value<std::string>(), "of each all-reduce (default 9)");
  add("out", options::value<std::string>(), "write the rows as JSON");
  add_rank_options(flags);
  return flags;
}

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> list;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');)
    list.push_back(word);
  return list;
}

training::Job read_bench_job(const options::variables_map& values) {
  training::Job job;
  job.ranks = 2;
  for (const std::string flag : kJobFlags) {
    if (!values.count(flag)) continue;
    std::string key = flag;
    std::replace(key.begin(), key.end(), '-', '_');
    training::set_field(job, key, values[flag].as<std::string>(), "--" + flag);
  }
  return job;
}

std::vector<std::uint64_t> read_sizes(const options::variables_map& values) {
  std::vector<std::uint64_t> sizes;
  for (const std::string& word : words(values.count("sizes") ? values["sizes"].as<std::string>()
                                                             : "1KiB,64KiB,1MiB,16MiB,100MB")) {
    sizes.push_back(parse_bytes(word, "--sizes"));
    if (sizes.back() % kFloatBytes != 0)
      throw ConfigError("--sizes", "expected whole floats of 4 bytes, is " + word);
  }
  if (sizes.empty()) throw ConfigError("--sizes", "expected at least one size");
  return sizes;
}

/// What rank 0 knows before anything runs.
class Plan {
 public:
  explicit Plan(const options::variables_map& values)
      : job_(read_bench_job(values)), machines_(read_machines(values)) {
    cluster_.topology = topology::load_topology(job_.topology);
    cluster_.host_of_rank =
        topology::place(cluster_.topology, job_.ranks, job_.placement, "--placement");
    cluster_.intra_host = job_.intra_host;
    cluster_.machines = &machines_;
    groups_ = topology::group_ranks(cluster_.topology, cluster_.host_of_rank, job_.group_by);
    read_algorithms(values);
    read_segment(values);
    explains_ = values.count("explain") > 0;
    if (explains_ && machines_.empty())
      throw ConfigError("--explain", "expected --machine FILE to predict with");
  }

  std::vector<BenchCase> cases(const std::vector<std::uint64_t>& sizes) const {
    std::vector<BenchCase> cases;
    for (const std::uint64_t bytes : sizes) {
      std::vector<Candidate> ranking;
      if (chooses_ || segment_bytes_ < 0 || explains_) {
        ranking = rank_candidates(operation(bytes), segment_bytes_, cluster_);
        if (explains_) {
          std::printf("%s, %d ranks\n", format_bytes(static_cast<double>(bytes)).c_str(),
                      job_.ranks);
          explain(ranking);
        }
      }
      if (chooses_) cases.push_back({bytes, ranking.front().choice, true, ranking.front().seconds});
      for (const collectives::Algorithm algorithm : algorithms_)
        cases.push_back(case_of(bytes, algorithm, ranking));
    }
    return cases;
  }

  collectives::Operation operation(std::uint64_t bytes) const {
    return {
        .ranks = job_.ranks, .data = {0, 0, bytes / kFloatBytes}, .scratch = {}, .groups = groups_};
  }
  const training::Job& job() const { return job_; }
  const std::vector<HostId>& host_of_rank() const { return cluster_.host_of_rank; }

 private:
  void read_algorithms(const options::variables_map& values) {
    const std::string text = values.count("algorithm") ? values["algorithm"].as<std::string>()
                             : machines_.empty()       ? "all"
                                                       : "auto";
    for (const std::string& word : words(text)) {
      if (word == "auto")
        chooses_ = true;
      else if (word == "all")
        algorithms_ = collectives::all_algorithms();
      else
        algorithms_.push_back(collectives::parse_algorithm(word, "--algorithm"));
    }
    if (chooses_ && machines_.empty())
      throw ConfigError("--algorithm",
                        "auto needs --machine FILE to predict with; lockstep calibrate writes one");
  }
  void read_segment(const options::variables_map& values) {
    const std::string text =
        values.count("segment-bytes") ? values["segment-bytes"].as<std::string>() : "";
    if (text == "auto" && machines_.empty())
      throw ConfigError("--segment-bytes", "auto needs --machine FILE to predict with");
    if (!text.empty() && text != "auto")
      segment_bytes_ = static_cast<std::int64_t>(parse_bytes(text, "--segment-bytes"));
    else
      segment_bytes_ = machines_.empty() ? static_cast<std::int64_t>(kUsualSegment) : -1;
  }
  /// An algorithm that was asked for: with the best of its candidates, if there is a choice.
  BenchCase case_of(std::uint64_t bytes, collectives::Algorithm algorithm,
                    const std::vector<Candidate>& ranking) const {
    for (const Candidate& candidate : ranking)
      if (candidate.choice.algorithm == algorithm && segment_bytes_ < 0 &&
          (candidate.choice.servers == job_.servers || job_.servers == 0))
        return {bytes, candidate.choice, false, candidate.seconds};
    const std::uint64_t segment =
        segment_bytes_ < 0 ? kUsualSegment : static_cast<std::uint64_t>(segment_bytes_);
    BenchCase fixed{bytes, {algorithm, segment, job_.servers}};
    if (!machines_.empty())
      fixed.predicted_seconds =
          predict_collective(collectives::make_schedule(
                                 algorithm, collectives::with(operation(bytes), fixed.choice)),
                             cluster_)
              .seconds;
    return fixed;
  }

  training::Job job_;
  Machines machines_;
  Cluster cluster_;
  std::vector<std::int32_t> groups_;
  std::vector<collectives::Algorithm> algorithms_;
  bool chooses_ = false;
  bool explains_ = false;
  std::int64_t segment_bytes_ = -1;  // −1: open
};

/// So many that one repetition takes some milliseconds and what begins and ends it does not count.
std::int32_t back_to_back(std::uint64_t bytes) {
  return bytes <= 64 << 10 ? 200 : bytes <= 1 << 20 ? 50 : bytes <= 16 << 20 ? 10 : 3;
}

/// All ranks of the session; the rows are complete on rank 0 only.
std::vector<BenchRow> run_cases(exec::Session& session, const std::vector<BenchCase>& cases,
                                const Plan& plan, std::int32_t repetitions) {
  std::vector<schedule::Schedule> schedules;
  std::uint64_t floats = 0;
  for (const BenchCase& each : cases) {
    schedules.push_back(collectives::make_schedule(
        each.choice.algorithm, collectives::with(plan.operation(each.bytes), each.choice)));
    floats = std::max(floats, exec::floats_for(schedules.back()));
  }
  const std::span<std::byte> bytes = session.allocate(floats * kFloatBytes);
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
                static_cast<unsigned long long>(each.bytes / kFloatBytes), "float", "sum",
                1e6 * seconds, algorithm_bandwidth(each.bytes, seconds) / 1e9,
                bus_bandwidth(each.bytes, seconds, ranks) / 1e9, predicted.c_str(), error.c_str(),
                static_cast<unsigned long long>(row.errors),
                collectives::describe(each.choice).c_str(), each.chosen ? " (auto)" : "");
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
  const std::vector<std::uint64_t> sizes = read_sizes(values);
  const auto repetitions = static_cast<std::int32_t>(
      values.count("repetitions") ? whole_number(values, "repetitions", 1, 10'000) : 9);
  const Plan plan(values);
  const std::int32_t ranks = plan.job().ranks;
  exec::RankOptions rank = rank_options(values, ranks);
  if (!is_rank(values) && (ranks > 1 || testbed != nullptr)) {
    Arguments command{"bench", "allreduce"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return launch_ranks(command, values, plan.host_of_rank(), testbed);
  }
  rank.intra_host = plan.job().intra_host;
  exec::Session session(rank, rank.rank == 0 ? to_json(plan.cases(sizes)) : "");
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
