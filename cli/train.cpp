// SPDX-License-Identifier: Apache-2.0
// lockstep train: trains for real, with local ranks or as one rank of a job over several machines.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <optional>
#include <sstream>
#include <utility>

#include "cli/choose_for_job.h"
#include "cli/command_line.h"
#include "cli/job_options.h"
#include "cli/prediction.h"
#include "cli/rank_flags.h"
#include "cli/training_run.h"
#include "exec/training/checkpoint.h"
#include "models/base/errors.h"
#include "models/training/batch_growth.h"
#include "models/training/job_json.h"

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
  add("warm-up-epochs", options::value<std::string>(), "instead of --warm-up");
  add("rate-drop-epochs", options::value<std::string>(), "instead of --rate-drops (\"15,25\")");
  add("batch-growth-epochs", options::value<std::string>(),
      "instead of --batch-growth: FACTOR@EPOCH (\"2@10,2@20\")");
  add("replica-check", options::value<std::string>(),
      "compare all ranks' parameters every so many iterations (default 50, 0 = never)");
  add("test-every", options::value<std::string>(),
      "test every so many iterations, off the clock, for lockstep plan (default: only at the end)");
  add("init", options::value<std::string>(),
      "begin with the parameters of a safetensors file, such as --save-parameters or PyTorch "
      "write");
  add("strict", "a JPEG file that cannot be used is an error; else it is skipped, and said");
  add("skipped-out", options::value<std::string>(), "list the files that were skipped, and why");
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

/// Settles what the job leaves to the images.
void fit_to_images(training::Job& job, const exec::Dataset& data, std::int32_t channels) {
  const bool decodes = data.is_jpeg() && job.cache.empty();
  job.input = decodes ? network::InputKind::Jpeg : network::InputKind::Pixels;
  // Of photographs the usual figures, ImageNet's. Pixels of IDX files stay from 0 to 1.
  const bool is_coloured = data.is_jpeg() && channels == 3;
  if (is_coloured && job.pixel_mean.empty()) job.pixel_mean = {0.485, 0.456, 0.406};
  if (is_coloured && job.pixel_std.empty()) job.pixel_std = {0.229, 0.224, 0.225};
  const auto check = [&](const std::vector<double>& numbers, const char* flag) {
    if (numbers.size() > 1 && numbers.size() != static_cast<std::size_t>(channels))
      throw ConfigError(flag, "expected one number, or one for each of the " +
                                  std::to_string(channels) + " channels, is a list of " +
                                  std::to_string(numbers.size()));
  };
  check(job.pixel_mean, "--pixel-mean");
  check(job.pixel_std, "--pixel-std");
}

/// The text of `by_epochs`, if it is given, which then takes the place of `flag`.
std::optional<std::string> text_by_epochs(const options::variables_map& values,
                                          const std::string& flag, const std::string& by_epochs) {
  if (!values.count(by_epochs)) return std::nullopt;
  if (values.count(flag))
    throw ConfigError("--" + by_epochs, "cannot be given together with --" + flag);
  return values[by_epochs].as<std::string>();
}

/// Sets the field of `flag` from `flag`-epochs, numbers of epochs.
void set_by_epochs(training::Job& job, const options::variables_map& values, std::string flag,
                   const std::string& by_epochs, std::int32_t images) {
  const auto text = text_by_epochs(values, flag, by_epochs);
  if (!text) return;
  std::string list;
  std::istringstream words(*text);
  for (std::string word; std::getline(words, word, ',');)
    list += (list.empty() ? "" : ",") + std::to_string(training::iterations_of(
                                            job, images, number_of(word, by_epochs, 0, 1e6)));
  std::replace(flag.begin(), flag.end(), '-', '_');
  training::set_field(job, flag, list, "--" + by_epochs);
}

/// One growth after the other, because each changes how many iterations an epoch has.
void set_growth_by_epochs(training::Job& job, const options::variables_map& values,
                          std::int32_t images) {
  const std::string flag = "batch-growth-epochs";
  const auto text = text_by_epochs(values, "batch-growth", flag);
  if (!text) return;
  std::string list;
  std::istringstream words(*text);
  for (std::string word; std::getline(words, word, ',');) {
    const std::size_t at = word.find('@');
    if (at == std::string::npos)
      throw ConfigError("--" + flag,
                        "must be a list of FACTOR@EPOCH, such as 2@10, is \"" + *text + "\"");
    const double epoch = number_of(word.substr(at + 1), flag, 0, 1e6);
    list += (list.empty() ? "" : ",") + word.substr(0, at + 1) +
            std::to_string(training::iterations_of(job, images, epoch));
    training::set_field(job, "batch_growth", list, "--" + flag);
  }
}

/// What a rank would have to guess of how gradients become updates.
void print_learning(const training::Job& job) {
  std::printf("global batch %s over %d rank(s); %s\n", training::describe_batches(job).c_str(),
              job.ranks, training::describe(job.rate, job.learning_rate, job.batch).c_str());
  std::printf(
      "%s, momentum %g, weight decay %g; ranks' gradients are summed, which gives that of "
      "the mean loss over the global batch\n",
      training::name_of(job.update.optimizer).c_str(), job.momentum, job.update.weight_decay);
  if (job.local_steps > 0 || job.staleness)
    std::printf("%s\n", training::describe_averaging(job).c_str());
}

/// Opens the images, and settles by them what the job leaves open, and the number of iterations.
exec::Dataset settle_by_images(training::Job& job, const options::variables_map& values) {
  const network::Network network = network::load_network(job.network);
  exec::Dataset data = exec::open_dataset(job, network.input, values.count("strict") > 0);
  const std::int32_t images = data.train->count();
  exec::check_fits(data, network, job.batch);
  set_growth_by_epochs(job, values, images);
  exec::check_fits(data, network, training::largest_batch(job));
  fit_to_images(job, data, network.input.channels);
  if (values.count("epochs")) {
    if (values.count("iterations"))
      throw ConfigError("--epochs", "cannot be given together with --iterations");
    job.iterations =
        std::max(1, training::iterations_of(job, images, number(values, "epochs", 1e-6, 1e6)));
  }
  if (job.iterations == 0) {
    if (values.count("iterations")) throw ConfigError("--iterations", "must be at least 1, is 0");
    job.iterations = training::iterations_of(job, images, 1);
  }
  set_by_epochs(job, values, "warm-up", "warm-up-epochs", images);
  set_by_epochs(job, values, "rate-drops", "rate-drop-epochs", images);
  if (const std::int32_t done = iterations_done(values); done > 0) {
    if (done >= job.iterations)
      throw ConfigError("--resume", "the checkpoint is after " + std::to_string(done) + " of " +
                                        std::to_string(job.iterations) +
                                        " iterations: there is nothing left to do");
    job.iterations -= done;
  }
  return data;
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
  if (values.count("skipped-out")) {
    std::string list;
    for (const exec::Fault& fault : outcome.faults)
      list += fault.file + ": " + fault.reason + "\n";
    results::write_file(values["skipped-out"].as<std::string>(), list);
  }
}

/// This process is a rank; rank 0 predicts first, if it can, and writes what comes out.
int run_as_rank(const options::variables_map& values, const exec::RankOptions& rank) {
  TrainingOptions training;
  training.rank = rank;
  training.bind = !values.count("no-binding");
  training.with_trace = values.count("trace") > 0;
  training.strict = values.count("strict") > 0;
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
    for (const char* flag :
         {"out", "trace", "save-parameters", "checkpoint", "baseline", "skipped-out"})
      if (values.count(flag) && !values.count("secret-fd"))
        throw ConfigError(std::string("--") + flag, "belongs to rank 0, which writes all results");
    train(training, std::nullopt);
    return kFine;
  }
  training.iterations_done = iterations_done(values);
  if (values.count("test-every"))
    training.test_every = static_cast<std::int32_t>(whole_number(values, "test-every", 1, 1 << 30));
  training.checkpoint = text_of("checkpoint");
  training.save_parameters = text_of("save-parameters");
  if (values.count("checkpoint-every")) {
    if (training.checkpoint.empty())
      throw ConfigError("--checkpoint-every", "expected --checkpoint FILE with it");
    training.checkpoint_every =
        static_cast<std::int32_t>(whole_number(values, "checkpoint-every", 1, 1 << 30));
  }
  const Machines machines = read_machines(values);
  training::Job job = read_job(values);
  exec::Dataset data = settle_by_images(job, values);
  ResolvedTraining own{resolve_choosing(job, machines, values.count("explain") > 0),
                       std::move(data)};
  if (!machines.empty()) {
    const Prediction prediction =
        predict(own.resolved, machines, {.iterations_done = training.iterations_done});
    training.predicted_seconds = prediction.result.summary.iteration_seconds.mean;
    print_cautions(prediction.cautions);
    std::printf("predicted iteration: %s\n", format_seconds(training.predicted_seconds).c_str());
  }
  print_learning(own.resolved.job);
  std::fflush(stdout);
  std::optional<TrainingOutcome> outcome = train(training, std::move(own));
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
  check_outputs(values, {"out", "trace", "save-parameters", "checkpoint", "skipped-out"});
  training::Job job = read_job(values);
  const std::int32_t ranks = job.ranks;
  const exec::RankOptions rank = rank_options(values, ranks);
  if (is_rank(values) || (ranks == 1 && testbed == nullptr)) return run_as_rank(values, rank);
  // So that what is wrong is said once, not by every rank.
  check_can_choose(job, read_machines(values), values.count("explain") > 0);
  job.choose_algorithm = job.choose_compression = false;  // rank 0 does
  settle_by_images(job, values);
  const ResolvedJob resolved = resolve(job);
  if (resolved.topology.hosts.size() > 1 && testbed == nullptr)
    std::fprintf(stderr,
                 "caution: topology \"%s\" has several hosts, but all ranks run on this one\n",
                 resolved.topology.name.c_str());
  Arguments command{"train"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return launch_ranks(command, values, resolved.host_of_rank, testbed);
}

}  // namespace lockstep::cli
