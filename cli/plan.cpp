// SPDX-License-Identifier: Apache-2.0
// lockstep plan: seconds to a target accuracy, of many batches and numbers of ranks, from one
// measured learning run and simulated iteration times.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <utility>

#include "cli/choose_for_job.h"
#include "cli/command_line.h"
#include "cli/job_options.h"
#include "cli/plan_json.h"
#include "cli/prediction.h"
#include "models/base/errors.h"
#include "models/training/job_json.h"

namespace lockstep::cli {

namespace {

/// What a measured run says about learning.
struct Measured {
  std::int32_t batch = 0;
  double iterations = 0;  // to the target
  std::int32_t images = 0;
  training::NoiseSpread noise;
};

Measured measured_run(const std::string& path, double target) {
  const results::Result result = results::load_result(path);
  if (result.origin != results::Origin::Measured || !result.learning || !result.images ||
      result.learning->noise_scale.empty() || result.learning->curve.empty())
    throw ConfigError(path, "expected what lockstep train --noise-scale on --test-every N wrote");
  if (!result.job.batch_growth.empty() || result.job.local_steps > 0)
    throw ConfigError(path,
                      "expected a synchronous run with one batch, without --batch-growth and "
                      "--local-steps");
  const std::optional<double> iterations = training::iterations_to(result.learning->curve, target);
  if (!iterations) {
    double best = 0;
    for (const training::AccuracyPoint& point : result.learning->curve)
      best = std::max(best, point.accuracy);
    throw ConfigError(path,
                      "never reached the target accuracy: its best was " + std::to_string(best));
  }
  const auto noise = training::noise_spread(result.learning->noise_scale, *iterations);
  if (!noise) throw ConfigError(path, "has no estimate of the noise scale up to the target");
  return {result.job.batch, *iterations, result.images->train, *noise};
}

PlanRow row_of(const training::Job& job, const Measured& measured, const Machines& machines) {
  const ResolvedJob resolved = resolve_choosing(job, machines, false);
  const Prediction prediction = predict(resolved, machines, {.interval = true});
  const results::Summary& summary = prediction.result.summary;
  const auto updates = [&](double noise) {
    return training::iterations_at(measured.iterations, measured.batch, job.batch, noise);
  };
  const double iteration = summary.iteration_seconds.mean;
  const auto [fastest, slowest] = summary.interval_90.value_or(std::pair(iteration, iteration));
  const auto [fewest, most] =
      std::minmax({updates(measured.noise.low), updates(measured.noise.high)});
  PlanRow row{.ranks = job.ranks,
              .batch = job.batch,
              .algorithm = training::algorithm_of(resolved.job),
              .iteration_seconds = iteration};
  row.iterations = updates(measured.noise.middle);
  row.epochs = row.iterations * job.batch / measured.images;
  row.seconds = row.iterations * iteration;
  row.low_seconds = fewest * fastest;
  row.high_seconds = most * slowest;
  row.goodput = summary.images_per_second *
                training::statistical_efficiency(measured.batch, job.batch, measured.noise.middle);
  row.is_extrapolated = job.batch != measured.batch;
  row.cautions = prediction.cautions;
  return row;
}

void print(const Plan& plan) {
  std::printf(
      "to %.2f %%: %.0f iterations at batch %d; noise scale %.0f images (quartiles %.0f, "
      "%.0f)\n",
      100 * plan.target_accuracy, plan.measured_iterations, plan.measured_batch, plan.noise.middle,
      plan.noise.low, plan.noise.high);
  std::printf("%6s %7s  %-28s %10s %10s %8s %10s %23s %10s\n", "ranks", "batch", "algorithm",
              "iteration", "iterations", "epochs", "seconds", "interval", "goodput");
  for (const PlanRow& row : plan.rows)
    std::printf("%6d %7d%s %-28s %10s %10.0f %8.1f %10.1f %11.1f - %9.1f %10.0f\n", row.ranks,
                row.batch, row.is_extrapolated ? "*" : " ", row.algorithm.c_str(),
                format_seconds(row.iteration_seconds).c_str(), row.iterations, row.epochs,
                row.seconds, row.low_seconds, row.high_seconds, row.goodput);
  const PlanRow& best = plan.rows.front();
  std::printf(
      "best: %d rank(s), batch %d, %s: a batch of %d needs %.2f times the updates of the "
      "measured %d, and an update takes %s\n",
      best.ranks, best.batch, best.algorithm.c_str(), best.batch,
      best.iterations / plan.measured_iterations, plan.measured_batch,
      format_seconds(best.iteration_seconds).c_str());
  std::puts(
      "* another batch than was measured: updates by 1 + noise scale / batch, with a rate "
      "that is right for it");
}

}  // namespace

int run_plan(const Arguments& arguments) {
  options::options_description flags(
      "lockstep plan --learning measured.json --target-accuracy 0.9 --machine m.json [flags]\n\n"
      "How long training to an accuracy takes, for each batch and number of ranks, best first.\n"
      "Updates follow from one measured run (train --noise-scale on --test-every N), seconds of "
      "an\n"
      "update from simulation on --topology.\nFlags");
  auto add = flags.add_options();
  add("help", "this text");
  add("learning", options::value<std::string>(), "result of that run");
  add("target-accuracy", options::value<std::string>(), "on the test images: 0.9 or 90%");
  add("plan-ranks", options::value<std::string>()->default_value("1,2,4"), "numbers of ranks");
  add("plan-batches", options::value<std::string>()->default_value("64,128,256,512,1024,2048,4096"),
      "global batches");
  add("out", options::value<std::string>(), "write the plan as JSON");
  add_job_options(flags);
  const options::variables_map values = parse(flags, arguments);
  if (values.count("help")) {
    std::cout << flags;
    return kFine;
  }
  for (const char* needed : {"learning", "target-accuracy", "machine"})
    if (!values.count(needed)) throw ConfigError(std::string("--") + needed, "is missing");
  check_outputs(values, {"out"});
  const double target = share(values["target-accuracy"].as<std::string>(), "--target-accuracy");
  const std::string path = values["learning"].as<std::string>();
  const Measured measured = measured_run(path, target);
  const Machines machines = read_machines(values);
  training::Job job = training::load_job(path);
  job.noise_scale = false;
  job.accumulate = 1;
  read_flags(values, job);
  Plan plan{target, measured.batch, measured.iterations, measured.noise, {}};
  for (const std::int32_t ranks :
       number_list(values["plan-ranks"].as<std::string>(), "--plan-ranks"))
    for (const std::int32_t batch :
         number_list(values["plan-batches"].as<std::string>(), "--plan-batches")) {
      job.ranks = ranks;
      job.batch = batch;
      if (batch >= ranks) plan.rows.push_back(row_of(job, measured, machines));
    }
  if (plan.rows.empty())
    throw ConfigError("--plan-batches", "no batch has an image for every rank");
  std::stable_sort(plan.rows.begin(), plan.rows.end(),
                   [](const PlanRow& a, const PlanRow& b) { return a.seconds < b.seconds; });
  std::vector<std::string> cautions;
  for (const PlanRow& row : plan.rows)
    for (const std::string& caution : row.cautions)
      if (std::find(cautions.begin(), cautions.end(), caution) == cautions.end())
        cautions.push_back(caution);
  print_cautions(cautions);
  print(plan);
  if (values.count("out")) results::write_file(values["out"].as<std::string>(), to_json(plan));
  return kFine;
}

}  // namespace lockstep::cli
