// SPDX-License-Identifier: Apache-2.0
// lockstep simulate: predicts a training job.
#include <cstdio>
#include <iostream>

#include "cli/choose_for_job.h"
#include "cli/command_line.h"
#include "cli/disturbed.h"
#include "cli/job_options.h"
#include "cli/prediction.h"
#include "models/base/errors.h"
#include "models/training/job_json.h"

namespace lockstep::cli {

int run_simulate(const Arguments& arguments) {
  options::options_description flags("lockstep simulate [flags]: predicts a training job\nFlags");
  flags.add_options()("help", "this text");
  add_result_options(flags);
  add_job_options(flags);
  add_explain_option(flags);
  flags.add_options()(
      "conditions", options::value<std::string>(),
      "what disturbs the job: a JSON file with stragglers, traffic of others, other "
      "jobs on the same network, a failure (models/conditions/README.md); auto chooses without it");
  flags.add_options()("explain-time",
                      "say where an iteration's time goes: its critical path, the links meanwhile, "
                      "what it takes at least; in the result and the trace too");
  flags.add_options()("epochs", options::value<std::string>(),
                      "instead of --iterations; changes nothing in the time of an iteration");
  const options::variables_map values = parse(flags, arguments);
  if (values.count("help")) {
    std::cout << flags;
    return kFine;
  }
  if (values.count("epochs")) {
    if (values.count("iterations"))
      throw ConfigError("--epochs", "cannot be given together with --iterations");
    number(values, "epochs", 1e-6, 1e6);
  }
  check_outputs(values, {"out", "trace"});
  const Machines machines = read_machines(values);
  if (machines.empty())
    throw ConfigError("--machine", "expected a machine file; lockstep calibrate writes one");
  ResolvedJob resolved = resolve_choosing(read_job(values), machines, values.count("explain") > 0);
  if (values.count("conditions")) read_conditions(values["conditions"].as<std::string>(), resolved);
  Prediction prediction = predict(resolved, machines,
                                  {.spans = values.count("trace") > 0,
                                   .interval = true,
                                   .explanation = values.count("explain-time") > 0});
  prediction.result.provenance = provenance(resolved.job.seed);
  apply_baseline(values, prediction.result);

  if (values.count("out"))
    results::write_file(values["out"].as<std::string>(), results::to_json(prediction.result));
  if (values.count("trace"))
    write_trace(values["trace"].as<std::string>(), resolved, prediction.spans,
                prediction.explanation ? &*prediction.explanation : nullptr);
  print_cautions(prediction.cautions);
  print_summary(prediction.result);
  if (prediction.explanation) std::cout << results::to_text(*prediction.explanation);
  return kFine;
}

}  // namespace lockstep::cli
