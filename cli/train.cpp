// SPDX-License-Identifier: Apache-2.0
// lockstep train: trains for real, with local ranks or as one rank of a job over several machines.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "cli/choose_for_job.h"
#include "cli/command_line.h"
#include "cli/job_options.h"
#include "cli/prediction.h"
#include "cli/rank_flags.h"
#include "cli/training_run.h"
#include "exec/data/idx.h"
#include "exec/training/checkpoint.h"
#include "models/base/errors.h"

namespace lockstep::cli {

namespace {

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
  add("replica-check", options::value<std::string>(),
      "compare all ranks' parameters every so many iterations (default 50, 0 = never)");
  add("init", options::value<std::string>(),
      "begin with the parameters of a safetensors file, such as --save-parameters or PyTorch "
      "write");
  add("save-parameters", options::value<std::string>(), "write them as a safetensors file");
  add("checkpoint", options::value<std::string>(),
      "write where training stands at the end, to go on from with --resume");
  add("checkpoint-every", options::value<std::string>(), "… and every so many iterations");
  add("resume", options::value<std::string>(),
      "go on from a checkpoint: --iterations and --epochs count from the training's beginning");
  add_rank_options(flags);
  add_result_options(flags);
  add_job_options(flags);
  add_explain_option(flags);
  return flags;
}

/// Of the checkpoint that the job goes on from.
std::int32_t iterations_done(const options::variables_map& values) {
  if (!values.count("resume")) return 0;
  if (values.count("init"))
    throw ConfigError("--init", "cannot be given together with --resume, which has parameters");
  return exec::iterations_of_checkpoint(values["resume"].as<std::string>());
}

/// Loads the images to see whether they fit, and settles the number of iterations.
ResolvedJob with_iterations(ResolvedJob resolved, const options::variables_map& values) {
  training::Job& job = resolved.job;
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
  if (const std::int32_t done = iterations_done(values); done > 0) {
    if (done >= job.iterations)
      throw ConfigError("--resume", "the checkpoint is after " + std::to_string(done) + " of " +
                                        std::to_string(job.iterations) +
                                        " iterations: there is nothing left to do");
    job.iterations -= done;
  }
  return resolved;
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
  const auto text_of = [&](const char* flag) {
    return values.count(flag) ? values[flag].as<std::string>() : "";
  };
  training.init = text_of("init");
  training.resume = text_of("resume");
  if (rank.rank != 0) {
    for (const char* flag : {"out", "trace", "save-parameters", "checkpoint", "baseline"})
      if (values.count(flag) && !values.count("secret-fd"))
        throw ConfigError(std::string("--") + flag, "belongs to rank 0, which writes all results");
    train(training, std::nullopt);
    return kFine;
  }
  training.iterations_done = iterations_done(values);
  training.checkpoint = text_of("checkpoint");
  training.save_parameters = text_of("save-parameters");
  if (values.count("checkpoint-every")) {
    if (training.checkpoint.empty())
      throw ConfigError("--checkpoint-every", "expected --checkpoint FILE with it");
    training.checkpoint_every =
        static_cast<std::int32_t>(whole_number(values, "checkpoint-every", 1, 1 << 30));
  }
  const Machines machines = read_machines(values);
  const ResolvedJob resolved = with_iterations(
      resolve_choosing(read_job(values), machines, values.count("explain") > 0), values);
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
  return run_train_in(nullptr, arguments);
}

int run_train_in(const exec::Testbed* testbed, const Arguments& arguments) {
  options::options_description all = train_flags();
  add_launcher_options(all);
  const options::variables_map values = parse(all, arguments);
  if (values.count("help")) {
    std::cout << train_flags();
    return kFine;
  }
  check_outputs(values, {"out", "trace", "save-parameters", "checkpoint"});
  training::Job job = read_job(values);
  const std::int32_t ranks = job.ranks;
  const exec::RankOptions rank = rank_options(values, ranks);
  if (is_rank(values) || (ranks == 1 && testbed == nullptr)) return run_as_rank(values, rank);
  // So that what is wrong is said once, not by every rank.
  check_can_choose(job, read_machines(values), values.count("explain") > 0);
  job.choose_algorithm = false;  // rank 0 does
  const ResolvedJob resolved = with_iterations(resolve(job), values);
  if (resolved.topology.hosts.size() > 1 && testbed == nullptr)
    std::fprintf(stderr,
                 "caution: topology \"%s\" has several hosts, but all ranks run on this one\n",
                 resolved.topology.name.c_str());
  Arguments command{"train"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return launch_ranks(command, values, resolved.host_of_rank, testbed);
}

}  // namespace lockstep::cli
