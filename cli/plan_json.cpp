// SPDX-License-Identifier: Apache-2.0
#include "cli/plan_json.h"

#include "models/base/object_json.h"

namespace lockstep::cli {

namespace {

Json json_of(const PlanRow& row) {
  Json json{{"ranks", row.setting.ranks},
            {"batch", row.setting.batch},
            {"algorithm", row.algorithm},
            {"codec", row.setting.codec},
            {"segment_bytes", row.segment_bytes},
            {"iteration_seconds", row.iteration_seconds},
            {"most_of_it", row.most_of_it},
            {"iterations", row.iterations},
            {"epochs", row.epochs},
            {"seconds", row.seconds},
            {"goodput", row.goodput},
            {"extrapolated", row.extrapolated},
            {"cautions", row.cautions}};
  if (row.interval_seconds)
    json["interval_seconds"] =
        Json::array({row.interval_seconds->first, row.interval_seconds->second});
  return json;
}

}  // namespace

std::string to_json(const Plan& plan) {
  Json runs = Json::array();
  for (const training::LearningRun& run : plan.measured)
    runs.push_back({{"codec", run.setting.codec},
                    {"ranks", run.setting.ranks},
                    {"batch", run.setting.batch},
                    {"iterations", run.iterations}});
  Json rows = Json::array();
  for (const PlanRow& row : plan.rows)
    rows.push_back(json_of(row));
  return to_text(
      {{"schema", "lockstep.plan/2"},
       {"target_accuracy", plan.target_accuracy},
       {"measured", runs},
       {"noise_scale_quartiles", Json::array({plan.noise.low, plan.noise.middle, plan.noise.high})},
       {"rows", rows},
       {"algorithms_left_out", plan.slow}});
}

}  // namespace lockstep::cli
