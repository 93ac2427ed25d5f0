// SPDX-License-Identifier: Apache-2.0
#include "cli/plan_json.h"

#include "models/base/object_json.h"

namespace lockstep::cli {

std::string to_json(const Plan& plan) {
  Json rows = Json::array();
  for (const PlanRow& row : plan.rows)
    rows.push_back({{"ranks", row.ranks},
                    {"batch", row.batch},
                    {"algorithm", row.algorithm},
                    {"iteration_seconds", row.iteration_seconds},
                    {"iterations", row.iterations},
                    {"epochs", row.epochs},
                    {"seconds", row.seconds},
                    {"interval_seconds", Json::array({row.low_seconds, row.high_seconds})},
                    {"goodput", row.goodput},
                    {"extrapolated", row.is_extrapolated},
                    {"cautions", row.cautions}});
  return to_text({{"schema", "lockstep.plan/1"},
                  {"target_accuracy", plan.target_accuracy},
                  {"measured",
                   {{"batch", plan.measured_batch},
                    {"iterations", plan.measured_iterations},
                    {"noise_scale_quartiles",
                     Json::array({plan.noise.low, plan.noise.middle, plan.noise.high})}}},
                  {"rows", rows}});
}

}  // namespace lockstep::cli
