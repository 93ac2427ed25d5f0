// SPDX-License-Identifier: Apache-2.0
// lockstep train: trains for real, with local ranks or as one rank of a job over several machines.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "cli/command_line.h"
#include "cli/job_options.h"
#include "cli/prediction.h"
#include "cli/training_run.h"
#include "exec/data/idx.h"
#include "exec/launch/local_launch.h"
#include "models/base/errors.h"

namespace lockstep::cli {

namespace {

constexpr double kDefaultTimeout = 5;

options::options_description train_flags() {
  options::options_description flags(
      "lockstep train [flags]\n\n"
      "Without --rank: starts --ranks ranks on this machine. With --rank R --ranks N\n"
      "--rendezvous HOST:PORT: is rank R of a job whose rank 0 listens there; rank 0's flags\n"
      "decide about the job, the others only need --data if their images lie elsewhere.\nFlags");
  auto add = flags.add_options();
  add("help", "this text");
  add("epochs", options::value<std::string>(),
      "instead of --iterations: passes over the images (default 1)");
  add("rank", options::value<std::string>(), "which rank this process is");
  add("rendezvous", options::value<std::string>(), "HOST:PORT where rank 0 listens");
  add("secret-file", options::value<std::string>(),
      "what all ranks know and strangers do not; the same content everywhere");
  add("timeout", options::value<std::string>(),
      "seconds of silence after which a rank is lost (default 5)");
  add("rendezvous-timeout", options::value<std::string>(),
      "seconds for all ranks to come (default 30; --timeout if that is given)");
  add("replica-check", options::value<std::string>(),
      "compare all ranks' parameters every so many iterations (default 50, 0 = never)");
  add("no-binding",
      "let the kernel choose processors; else ranks that share a host each keep to a part of them");
  add("save-parameters", options::value<std::string>(), "write them as a safetensors file");
  add_result_options(flags);
  add_job_options(flags);
  return flags;
}

/// What the launcher hands to the ranks that it starts.
options::options_description launcher_flags() {
  options::options_description flags;
  flags.add_options()("secret-fd", options::value<std::string>())("rendezvous-fd",
                                                                  options::value<std::string>());
  return flags;
}

double timeout_of(const options::variables_map& values, const char* flag, double fallback) {
  return values.count(flag) ? number(values, flag, 0.1, 86400) : fallback;
}

/// The job with everything loaded and the number of iterations settled.
ResolvedJob resolve_for_training(const options::variables_map& values) {
  training::Job job = read_job(values);
  ResolvedJob resolved = resolve(job);
  const exec::Dataset data = exec::load_idx_folder(job.data);
  exec::check_fits(data, resolved.network, job.batch);
  const std::int32_t per_epoch = data.train.count() / job.batch;
  if (values.count("epochs")) {
    if (values.count("iterations"))
      throw ConfigError("--epochs", "cannot be given together with --iterations");
    const double iterations = number(values, "epochs", 1e-6, 1e6) * per_epoch;
    job.iterations = std::max(1, static_cast<std::int32_t>(std::lround(std::min(iterations, 1e9))));
  }
  if (job.iterations == 0) {
    if (values.count("iterations")) throw ConfigError("--iterations", "must be at least 1, is 0");
    job.iterations = per_epoch;
  }
  resolved.job = job;
  return resolved;
}

exec::RankOptions rank_options(const options::variables_map& values, std::int32_t ranks) {
  exec::RankOptions rank;
  rank.ranks = ranks;
  rank.timeout_seconds = timeout_of(values, "timeout", kDefaultTimeout);
  rank.rendezvous_timeout_seconds =
      timeout_of(values, "rendezvous-timeout", values.count("timeout") ? rank.timeout_seconds : 30);
  if (values.count("rank"))
    rank.rank = static_cast<Rank>(whole_number(values, "rank", 0, ranks - 1));
  if (values.count("secret-file"))
    rank.secret = exec::load_secret(values["secret-file"].as<std::string>());
  if (values.count("secret-fd")) {
    rank.secret =
        exec::read_secret(static_cast<int>(whole_number(values, "secret-fd", 0, 1 << 20)));
    rank.loopback_only = true;
  }
  if (values.count("rendezvous-fd"))
    rank.listening_socket = static_cast<int>(whole_number(values, "rendezvous-fd", 0, 1 << 20));
  if (!values.count("rendezvous")) return rank;
  const std::string where = values["rendezvous"].as<std::string>();
  const std::size_t colon = where.rfind(':');
  const std::string port = colon == std::string::npos ? "" : where.substr(colon + 1);
  if (colon == 0 || port.empty() || port.size() > 5 ||
      port.find_first_not_of("0123456789") != std::string::npos || std::stoi(port) > 65535)
    throw ConfigError("--rendezvous",
                      "expected HOST:PORT such as 192.0.2.1:4711, is \"" + where + "\"");
  rank.host = where.substr(0, colon);
  if (rank.host.size() > 2 && rank.host.front() == '[' && rank.host.back() == ']')
    rank.host = rank.host.substr(1, rank.host.size() - 2);
  rank.port = static_cast<std::uint16_t>(std::stoi(port));
  return rank;
}

/// Starts one process per rank with the arguments of this one. --ranks is the launcher's to give.
int launch(const Arguments& arguments, const options::variables_map& values, std::int32_t ranks) {
  exec::LocalLaunch launch;
  launch.ranks = ranks;
  launch.timeout_seconds = timeout_of(values, "timeout", kDefaultTimeout);
  launch.arguments.push_back("train");
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--ranks")
      ++i;
    else if (!arguments[i].starts_with("--ranks="))
      launch.arguments.push_back(arguments[i]);
  }
  return exec::launch_local_ranks(launch);
}

void write_outcome(const options::variables_map& values, TrainingOutcome& outcome,
                   const Machines& machines) {
  outcome.result.provenance = provenance(outcome.resolved.job.seed);
  if (const auto machine = machines.find(""); machine != machines.end())
    outcome.result.machine_json = cost::to_json(machine->second);
  apply_baseline(values, outcome.result);
  print_summary(outcome.result);
  if (values.count("out"))
    results::write_file(values["out"].as<std::string>(), results::to_json(outcome.result));
  if (values.count("trace"))
    write_trace(values["trace"].as<std::string>(), outcome.resolved, outcome.spans);
  if (values.count("save-parameters"))
    results::write_file(values["save-parameters"].as<std::string>(), outcome.parameters);
}

/// This process is a rank; rank 0 predicts first, if it can, and writes what comes out.
int run_as_rank(const options::variables_map& values, const exec::RankOptions& rank) {
  TrainingOptions training;
  training.rank = rank;
  training.bind = !values.count("no-binding");
  training.with_trace = values.count("trace") > 0;
  if (values.count("data")) training.data = values["data"].as<std::string>();
  if (values.count("replica-check"))
    training.replica_check =
        static_cast<std::int32_t>(whole_number(values, "replica-check", 0, 1 << 30));
  if (rank.rank != 0) {
    for (const char* flag : {"out", "trace", "save-parameters", "baseline"})
      if (values.count(flag) && !values.count("secret-fd"))
        throw ConfigError(std::string("--") + flag, "belongs to rank 0, which writes all results");
    train(training, std::nullopt);
    return kFine;
  }
  const ResolvedJob resolved = resolve_for_training(values);
  const Machines machines = read_machines(values);
  if (!machines.empty()) {
    const Prediction prediction = predict(resolved, machines, false);
    training.predicted_seconds = prediction.result.summary.iteration_seconds.mean;
    print_cautions(prediction.cautions);
    std::printf("predicted iteration: %s\n", format_seconds(training.predicted_seconds).c_str());
    std::fflush(stdout);
  }
  std::optional<TrainingOutcome> outcome = train(training, resolved);
  write_outcome(values, *outcome, machines);
  return kFine;
}

}  // namespace

int run_train(const Arguments& arguments) {
  options::options_description all = train_flags();
  all.add(launcher_flags());
  const options::variables_map values = parse(all, arguments);
  if (values.count("help")) {
    std::cout << train_flags();
    return kFine;
  }
  check_outputs(values, {"out", "trace", "save-parameters"});
  const std::int32_t ranks = read_job(values).ranks;
  if (values.count("rank") != values.count("rendezvous"))
    throw ConfigError(values.count("rank") ? "--rank" : "--rendezvous",
                      "--rank and --rendezvous go together");
  const exec::RankOptions rank = rank_options(values, ranks);
  if (values.count("rank") && !values.count("secret-file") && !values.count("secret-fd"))
    std::fprintf(stderr,
                 "caution: without --secret-file anybody who reaches the port may join the job\n");
  if (values.count("rank") || ranks == 1) return run_as_rank(values, rank);
  const ResolvedJob resolved = resolve_for_training(values);  // so that what is wrong is said once
  if (resolved.topology.hosts.size() > 1)
    std::fprintf(stderr,
                 "caution: topology \"%s\" has several hosts, but all ranks run on this one\n",
                 resolved.topology.name.c_str());
  read_machines(values);
  return launch(arguments, values, ranks);
}

}  // namespace lockstep::cli
