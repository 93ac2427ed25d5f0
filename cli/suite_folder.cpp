// SPDX-License-Identifier: Apache-2.0
#include "cli/suite_folder.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "cli/command_line.h"
#include "cli/prediction.h"
#include "exec/launch/child_program.h"
#include "exec/testbed/scaled.h"
#include "models/base/errors.h"
#include "models/base/text_file.h"
#include "models/results/compare.h"
#include "models/training/job_json.h"

namespace lockstep::cli {

namespace {

namespace fs = std::filesystem;
using results::Result;

constexpr double kPreparing = 3600;  // seconds that it may take at most

/// The cluster that a testbed makes of the case's topology on this machine, or this machine itself.
ResolvedJob on_this_machine(const SuiteCase& one) {
  if (!one.in_testbed) return one.resolved;
  exec::Scaling scaling;
  scaling.processors = std::max(1u, std::thread::hardware_concurrency());
  exec::Scaled scaled = exec::scale(one.resolved.topology, scaling, one.name);
  return resolve(one.resolved.job, one.resolved.network, std::move(scaled.topology));
}

/// From the first to the last of these, powers of two: at least two of them, for a line.
std::string batches_around(std::int32_t least, std::int32_t most) {
  std::string list;
  const std::uint32_t last = std::max(2 * std::bit_floor(static_cast<std::uint32_t>(least)),
                                      std::bit_ceil(static_cast<std::uint32_t>(most)));
  for (std::uint32_t batch = std::bit_floor(static_cast<std::uint32_t>(least)); batch <= last;
       batch *= 2)
    list += (list.empty() ? "" : ",") + std::to_string(batch);
  return list;
}

/// `lockstep calibrate` for the networks, batches and threads of the cases, and no more.
Arguments calibration_for(const Suite& suite, const std::string& out) {
  std::map<std::string, std::pair<std::int32_t, std::int32_t>> batches;  // least and most of a rank
  std::set<std::int32_t> threads;
  for (const SuiteCase& one : suite.cases) {
    threads.insert(one.resolved.job.threads);
    for (const std::int32_t batch : one.resolved.batch_of_rank()) {
      auto& [least, most] =
          batches.try_emplace(one.resolved.job.network, batch, batch).first->second;
      least = std::min(least, batch);
      most = std::max(most, batch);
    }
  }
  Arguments arguments{"calibrate", "--out", out, "--threads", ""};
  for (const std::int32_t count : threads)
    arguments.back() += (arguments.back().empty() ? "" : ",") + std::to_string(count);
  // Rows that networks share are measured with the first of them: so the one of most batches leads.
  std::vector<std::pair<std::string, std::pair<std::int32_t, std::int32_t>>> order(batches.begin(),
                                                                                   batches.end());
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.second.second > b.second.second; });
  for (const auto& [network, range] : order) {
    arguments.push_back("--network");
    arguments.push_back(network + ":" + batches_around(range.first, range.second));
  }
  return arguments;
}

/// Nothing known but peaks and bandwidths: all computing is priced by a roofline.
cost::Machine as_datasheet(cost::Machine machine) {
  machine.origin = cost::Origin::Datasheet;
  machine.layers.clear();
  machine.iteration_jitter = machine.turn_dispersion = 0;
  machine.quota_slowdown = 0;
  return machine;
}

/// Without what a run is free in: how long it is, and under which path its topology lies.
std::string identity_of(training::Job job, const topology::Topology& topology) {
  job.iterations = 0;
  job.topology.clear();
  return training::to_json(job) + topology::to_json(topology);
}

/// The last line in which the program tells a fault.
std::string fault_in(const std::string& log) {
  std::istringstream lines(read_text(log));
  std::string fault;
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("lockstep: ")) fault = line.substr(10);
  return fault.empty() ? "see " + log : fault;
}

}  // namespace

/// As an absolute path, since jobs name files in it: the folder is the same from wherever it is
/// seen.
SuiteFolder::SuiteFolder(std::string path) {
  std::error_code error;
  path_ = fs::absolute(path, error).lexically_normal().string();
  fs::create_directories(path_, error);
  if (error) throw ConfigError("--work", path_ + " cannot be made: " + error.message());
}

std::string SuiteFolder::file(const std::string& name, const std::string& ending) const {
  return (fs::path(path_) / (name + ending)).string();
}

std::string SuiteFolder::measured(const SuiteCase& one, std::int32_t round) const {
  return file(one.name, ".measured." + std::to_string(round + 1) + ".json");
}

int SuiteFolder::start(const Arguments& arguments, const std::string& name, double limit_seconds,
                       std::string& fault) const {
  const std::string log = file(name, ".log");
  const exec::ChildEnd end =
      exec::run_child({.arguments = arguments, .log = log, .limit_seconds = limit_seconds});
  if (end.interrupted_by != 0) return 128 + end.interrupted_by;
  if (end.timed_out)
    fault = "did not end within " + format_seconds(limit_seconds);
  else if (end.status != kFine)
    fault = fault_in(log);
  return kFine;
}

int SuiteFolder::provide_images(Suite& suite) const {
  if (suite.images == 0) return kFine;
  const std::string images = file("images", "");
  for (SuiteCase& one : suite.cases)
    if (one.resolved.network.input.channels == 3 && one.resolved.job.data.empty()) {
      one.resolved.job.data = images;
      one.resolved.job.input = network::InputKind::Jpeg;
      one.resolved = resolve(one.resolved.job, one.resolved.network, one.resolved.topology);
    }
  if (fs::exists(images)) return kFine;
  const std::string unfinished = images + ".part";
  fs::remove_all(unfinished);
  std::string fault;
  const int status =
      start({"data", "make", "--out", unfinished, "--images", std::to_string(suite.images)},
            "images", kPreparing, fault);
  if (status != kFine) return status;
  if (!fault.empty()) throw ConfigError("data make", fault);
  fs::rename(unfinished, images);
  return kFine;
}

int SuiteFolder::provide_machine(const Suite& suite,
                                 const std::optional<std::string>& given) const {
  const std::string machine = file("machine", ".json");
  if (fs::exists(machine)) return kFine;
  std::string alone = file("machine-alone", ".json");
  std::string fault;
  int status = kFine;
  if (given)
    alone = *given;
  else if (!fs::exists(alone))
    status = start(calibration_for(suite, alone), "calibrate", kPreparing, fault);
  if (status != kFine) return status;
  if (!fault.empty()) throw ConfigError("calibrate", fault);
  const bool has_testbed = std::any_of(suite.cases.begin(), suite.cases.end(),
                                       [](const SuiteCase& one) { return one.in_testbed; });
  if (!has_testbed || cost::load_machine(alone).between_hosts) {
    results::write_file(machine, read_text(alone));
    return kFine;
  }
  status = start({"calibrate", "--between-hosts", alone, "--out", machine}, "between_hosts",
                 kPreparing, fault);
  if (!fault.empty()) throw ConfigError("calibrate --between-hosts", fault);
  return status;
}

void SuiteFolder::predict(const SuiteCase& one, double seconds) const {
  ResolvedJob resolved = on_this_machine(one);
  const std::string path = file(one.name, ".predicted.json");
  if (fs::exists(path)) {
    const Result known = results::load_result(path);
    if (identity_of(known.job, known.topology) != identity_of(resolved.job, resolved.topology))
      throw ConfigError(path,
                        "is of another job than the suite's; remove the case's files, or choose "
                        "another --work");
    return;
  }
  resolved.job.topology = file(one.name, ".topology.json");
  results::write_file(resolved.job.topology, topology::to_json(one.resolved.topology));
  const std::string machine = file("machine", ".json");
  const auto written = [&](const cost::Machine& used, const Wanted& wanted, const std::string& to) {
    Result result = cli::predict(resolved, {{"", used}}, wanted).result;
    const double each = result.summary.iteration_seconds.mean;
    constexpr double kFewest = 12, kMost = 5000;
    if (result.job.iterations == 0)
      result.job.iterations =
          static_cast<std::int32_t>(std::clamp(std::round(seconds / each), kFewest, kMost));
    result.provenance = provenance(result.job.seed);
    results::write_file(to, results::to_json(result));
  };
  const cost::Machine measured = cost::load_machine(machine);
  written(as_datasheet(measured), {}, file(one.name, ".datasheet.json"));
  written(measured, {.interval = true}, path);
}

bool SuiteFolder::was_run(const SuiteCase& one, std::int32_t round) const {
  return fs::exists(measured(one, round));
}

SuiteFolder::RunEnd SuiteFolder::run(const SuiteCase& one, std::int32_t round) const {
  const std::string predicted = file(one.name, ".predicted.json");
  const std::string topology = file(one.name, ".topology.json");
  const std::string out = measured(one, round);
  Arguments arguments{"train", "--job", predicted, "--out", out};
  if (one.in_testbed)
    arguments.insert(arguments.begin(), {"testbed", topology, "--", "lockstep"});
  else
    arguments.insert(arguments.end(), {"--topology", topology});
  const Result expected = results::load_result(predicted);
  const double limit = 60 + 4 * expected.summary.iteration_seconds.mean * expected.job.iterations;
  RunEnd end;
  end.status = start(arguments, one.name, limit, end.fault);
  if (end.status != kFine || !end.fault.empty()) return end;
  const Result result = results::load_result(out);
  if (!(result.topology == expected.topology)) {
    fs::remove(out);
    end.fault = "was run on another topology than was predicted";
  }
  return end;
}

std::optional<results::ValidationCase> SuiteFolder::result(const SuiteCase& one,
                                                           std::int32_t rounds) const {
  const Result predicted = results::load_result(file(one.name, ".predicted.json"));
  results::ValidationCase result{.name = one.name,
                                 .group = results::group_of(predicted) + one.changes,
                                 .predicted = results::parts_of(predicted),
                                 .interval_90 = predicted.summary.interval_90};
  if (const std::string path = file(one.name, ".datasheet.json"); fs::exists(path))
    result.from_datasheet = results::load_result(path).summary.iteration_seconds.mean;
  for (std::int32_t round = 0; round < rounds || was_run(one, round); ++round) {
    if (!was_run(one, round)) continue;
    const Result measurement = results::load_result(measured(one, round));
    result.rounds.push_back(results::parts_of(measurement));
    if (measurement.provenance.time < predicted.provenance.time) result.predicted_first = false;
  }
  if (result.rounds.empty()) return {};
  const Machines machines{{"", cost::parse_machine(predicted.machine_json, "the prediction's")}};
  const ResolvedJob resolved = on_this_machine(one);
  const cost::CostModel cost = make_cost_model(resolved, machines);
  for (const std::string& row : cost.estimated_rows())
    result.flags.push_back("not measured: " + row);
  for (const std::string& row : cost.extrapolated_rows())
    result.flags.push_back("outside what was measured: " + row);
  if (one.in_testbed && !machines.at("").between_hosts)
    result.flags.push_back("messages between hosts were not measured");
  return result;
}

std::string SuiteFolder::in_short(const SuiteCase& one, std::int32_t round) const {
  const auto seconds = [](const std::string& path) {
    return format_seconds(results::load_result(path).summary.iteration_seconds.mean);
  };
  return "predicted " + seconds(file(one.name, ".predicted.json")) + ", measured " +
         seconds(measured(one, round));
}

}  // namespace lockstep::cli
