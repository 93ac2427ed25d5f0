// SPDX-License-Identifier: Apache-2.0
// lockstep plan: seconds to a target accuracy, of ranks × batches × algorithms × codecs, from
// measured learning runs and simulated iteration times.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <iostream>
#include <sstream>

#include "cli/choose_for_job.h"
#include "cli/codec_list.h"
#include "cli/command_line.h"
#include "cli/job_faults.h"
#include "cli/plan_json.h"
#include "cli/plan_rows.h"
#include "cli/prediction.h"
#include "models/base/errors.h"
#include "models/base/units.h"
#include "models/training/job_json.h"

namespace lockstep::cli {

namespace {

std::string list_of(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    text += (text.empty() ? "" : ",") + word;
  return text;
}

void print_rows(const Plan& plan, std::size_t shown) {
  std::printf("%6s %7s  %-33s %-12s %10s %10s %7s %9s %19s %9s  %s\n", "ranks", "batch",
              "algorithm", "codec", "iteration", "iterations", "epochs", "seconds", "interval",
              "goodput", "extrapolated");
  for (std::size_t i = 0; i < std::min(shown, plan.rows.size()); ++i) {
    const PlanRow& row = plan.rows[i];
    const auto [low, high] = row.interval_seconds.value_or(std::pair(row.seconds, row.seconds));
    std::printf("%6d %7d  %-33s %-12s %10s %10.0f %7.1f %9.1f %8.1f - %8.1f %9.0f  %s\n",
                row.setting.ranks, row.setting.batch, row.algorithm.c_str(),
                row.setting.codec.c_str(), format_seconds(row.iteration_seconds).c_str(),
                row.iterations, row.epochs, row.seconds, low, high, row.goodput,
                list_of(row.extrapolated).c_str());
  }
  if (plan.rows.size() > shown)
    std::printf("and %zu slower rows; --rows 0 prints all, --out has them\n",
                plan.rows.size() - shown);
  if (plan.slow > 0)
    std::printf(
        "left out: %d times an algorithm that takes more than twice the best's iteration at the "
        "smallest batch\n",
        plan.slow);
}

std::string words_of(const PlanRow& row) {
  return std::to_string(row.setting.ranks) + " rank(s), batch " +
         std::to_string(row.setting.batch) + ", " + row.algorithm + ", codec " + row.setting.codec;
}

/// The fastest row that differs from the best one, or that fits otherwise.
void print_best_of(const Plan& plan, const char* label,
                   const std::function<bool(const PlanRow&)>& fits) {
  const auto row = std::find_if(plan.rows.begin(), plan.rows.end(), fits);
  if (row == plan.rows.end()) return;
  std::printf("  %-22s %9.1f s  %+6.1f %%  %s\n", label, row->seconds,
              100 * (row->seconds / plan.rows.front().seconds - 1), words_of(*row).c_str());
}

void print_reasons(const Plan& plan) {
  const PlanRow& best = plan.rows.front();
  const training::LearningRun& run = nearest_run(plan.measured, best.setting);
  std::printf("best: %s: %.1f s\n", words_of(best).c_str(), best.seconds);
  std::printf(
      "  a batch of %d needs %.2f times the updates of the measured %d, and an update takes %s, "
      "most of it %s\n",
      best.setting.batch, best.iterations / run.iterations, run.setting.batch,
      format_seconds(best.iteration_seconds).c_str(), best.most_of_it.c_str());
  print_best_of(plan, "with other ranks",
                [&](const PlanRow& row) { return row.setting.ranks != best.setting.ranks; });
  print_best_of(plan, "with another batch",
                [&](const PlanRow& row) { return row.setting.batch != best.setting.batch; });
  print_best_of(plan, "with another algorithm", [&](const PlanRow& row) {
    return row.algorithm != best.algorithm && row.setting.ranks > 1;
  });
  print_best_of(plan, "with another codec",
                [&](const PlanRow& row) { return row.setting.codec != best.setting.codec; });
  const auto is_known = [](const PlanRow& row) {
    return std::find(row.extrapolated.begin(), row.extrapolated.end(), "codec") ==
           row.extrapolated.end();
  };
  if (!is_known(best)) print_best_of(plan, "with a measured codec", is_known);
}

/// What the words in the last column mean, of those that are there.
void print_legend(const Plan& plan) {
  constexpr std::pair<const char*, const char*> kMeanings[] = {
      {"batch",
       "another than was measured: updates by 1 + noise scale / batch, with a rate that is right "
       "for it"},
      {"codec",
       "no learning run had it: as many updates as without are supposed; whether the accuracy is "
       "reached, and when, only a run with it tells (--learning takes several)"},
      {"ranks",
       "other than the learning run's, where each encodes or normalises by itself: the same "
       "updates are supposed"},
      {"iteration", "simulated from rows of the machine file that are outside what was measured"}};
  for (const auto& [name, meaning] : kMeanings)
    if (std::any_of(plan.rows.begin(), plan.rows.end(), [&](const PlanRow& row) {
          return std::find(row.extrapolated.begin(), row.extrapolated.end(), name) !=
                 row.extrapolated.end();
        }))
      std::printf("extrapolated, %s: %s\n", name, meaning);
}

void print(const Plan& plan, std::size_t shown) {
  std::printf("to %.2f %%: ", 100 * plan.target_accuracy);
  for (const training::LearningRun& run : plan.measured)
    std::printf("%.0f iterations at batch %d%s; ", run.iterations, run.setting.batch,
                run.setting.codec == "none" ? "" : (" with " + run.setting.codec).c_str());
  std::printf("noise scale %.0f images (quartiles %.0f, %.0f)\n", plan.noise.middle, plan.noise.low,
              plan.noise.high);
  print_rows(plan, shown);
  print_reasons(plan);
  print_legend(plan);
}

std::vector<std::string> words(const std::string& text, const std::string& flag) {
  std::vector<std::string> list;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');)
    list.push_back(word);
  if (list.empty()) throw ConfigError(flag, "expected at least one name");
  return list;
}

std::vector<compression::Codec> read_codecs(const std::string& text, training::Job job) {
  const std::string flag = "--plan-codecs";
  std::vector<compression::Codec> codecs{{}};
  if (text == "advised" || text == "all") {
    for (const compression::Codec& codec : usual_codecs())
      if (text == "all" || is_advised(codec)) codecs.push_back(codec);
    return codecs;
  }
  codecs.clear();
  for (const std::string& word : words(text, flag)) {
    codecs.push_back(compression::parse_codec(word, flag));
    job.compression = {{"*", codecs.back()}};
    job.algorithm = collectives::Algorithm::Ring;
    if (const std::string fault = fault_of_exchange(job); !fault.empty())
      throw ConfigError(flag, fault);
  }
  return codecs;
}

PlanAxes read_axes(const options::variables_map& values, const training::Job& job) {
  const auto text = [&](const char* flag) { return values[flag].as<std::string>(); };
  PlanAxes axes;
  axes.ranks = number_list(text("plan-ranks"), "--plan-ranks");
  axes.batches = number_list(text("plan-batches"), "--plan-batches");
  axes.codecs = read_codecs(text("plan-codecs"), job);
  const std::string algorithms = text("plan-algorithms");
  axes.only_best_algorithm = algorithms == "auto";
  if (algorithms != "auto" && algorithms != "all")
    for (const std::string& word : words(algorithms, "--plan-algorithms"))
      axes.algorithms.push_back(collectives::parse_algorithm(word, "--plan-algorithms"));
  return axes;
}

options::options_description plan_flags() {
  options::options_description flags(
      "lockstep plan --learning measured.json --target-accuracy 0.9 --machine m.json [flags]\n\n"
      "How long training to an accuracy takes, for each number of ranks, batch, algorithm and "
      "codec,\nbest first. Updates follow from a measured run (train --noise-scale on "
      "--test-every N), seconds\nof an update from simulation on --topology.\nFlags");
  auto add = flags.add_options();
  add("help", "this text");
  add("learning", options::value<std::vector<std::string>>()->composing(),
      "result of that run; and of others, with codecs or at other batches");
  add("target-accuracy", options::value<std::string>(), "on the test images: 0.9 or 90%");
  add("plan-ranks", options::value<std::string>()->default_value("1,2,4"), "numbers of ranks");
  add("plan-batches", options::value<std::string>()->default_value("64,128,256,512,1024,2048,4096"),
      "global batches");
  add("plan-algorithms", options::value<std::string>()->default_value("all"),
      "all that closed forms do not rule out, auto (the best of them) or names (\"ring,bcube\")");
  add("plan-codecs", options::value<std::string>()->default_value("advised"),
      "none and those that were seen to lose little accuracy (advised), or all, or names "
      "(\"none,fp16\")");
  add("rows", options::value<std::string>()->default_value("40"),
      "fastest rows to print, with intervals (0 = all)");
  add("out", options::value<std::string>(), "write the plan as JSON");
  add_job_options(flags);
  return flags;
}

void check_flags(const options::variables_map& values) {
  for (const char* needed : {"learning", "target-accuracy", "machine"})
    if (!values.count(needed)) throw ConfigError(std::string("--") + needed, "is missing");
  constexpr std::pair<const char*, const char*> kPlanned[] = {{"ranks", "ranks"},
                                                              {"batch", "batches"},
                                                              {"batch-per-rank", "batches"},
                                                              {"algorithm", "algorithms"},
                                                              {"compression", "codecs"}};
  for (const auto& [flag, axis] : kPlanned)
    if (values.count(flag))
      throw ConfigError(std::string("--") + flag,
                        std::string("is planned over; expected --plan-") + axis);
  check_outputs(values, {"out"});
}

}  // namespace

int run_plan(const Arguments& arguments) {
  const options::options_description flags = plan_flags();
  const options::variables_map values = parse(flags, arguments);
  if (values.count("help")) {
    std::cout << flags;
    return kFine;
  }
  check_flags(values);
  const double target = share(values["target-accuracy"].as<std::string>(), "--target-accuracy");
  const auto paths = values["learning"].as<std::vector<std::string>>();
  training::Job job = training::load_job(paths.front());
  job.noise_scale = false;
  job.accumulate = 1;
  job.choose_algorithm = false;
  if (values.count("topology")) job.placement = {};
  read_flags(values, job);
  const std::int64_t rows = whole_number(values, "rows", 0, 1'000'000);
  const std::size_t shown = rows == 0 ? 1'000'000 : static_cast<std::size_t>(rows);
  const Machines machines = read_machines(values);
  Plan plan = make_plan(job, read_axes(values, job), read_learning(paths, job.network, target),
                        machines, shown);
  plan.target_accuracy = target;
  std::vector<std::string> cautions;
  for (const PlanRow& row : plan.rows)
    for (const std::string& caution : row.cautions)
      if (std::find(cautions.begin(), cautions.end(), caution) == cautions.end())
        cautions.push_back(caution);
  print_cautions(cautions);
  print(plan, shown);
  if (values.count("out")) results::write_file(values["out"].as<std::string>(), to_json(plan));
  return kFine;
}

}  // namespace lockstep::cli
