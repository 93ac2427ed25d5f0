// SPDX-License-Identifier: Apache-2.0
#include "models/base/object_json.h"
#include "models/results/validation.h"

namespace lockstep::results {

namespace {

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json json_of(const Parts& parts) {
  return {{"iteration", parts.iteration}, {"compute", parts.compute}, {"exposed", parts.exposed},
          {"waiting", parts.waiting},     {"idle", parts.idle},       {"reduce", parts.reduce}};
}

Json json_of(const CaseScore& score) {
  Json json{{"name", score.from.name},
            {"group", score.from.group},
            {"error", score.error.iteration},
            {"covered", score.from.interval_90 ? Json(score.covered) : Json()},
            {"noise", score.noise},
            {"datasheet_error", or_null(score.datasheet_error)},
            {"predicted_first", score.from.predicted_first},
            {"flags", score.from.flags},
            {"interval_90", Json()}};
  if (const auto& interval = score.from.interval_90)
    json["interval_90"] = Json::array({interval->first, interval->second});
  json["predicted_seconds"] = json_of(score.from.predicted);
  json["measured_seconds"] = json_of(score.measured);
  json["errors"] = json_of(score.error);
  json["rounds"] = Json::array();
  for (const Parts& round : score.from.rounds)
    json["rounds"].push_back(round.iteration);
  return json;
}

Json json_of(const GroupScore& group) {
  return {{"name", group.name},
          {"cases", group.cases},
          {"kendall_tau", group.kendall_tau},
          {"regret", group.regret},
          {"predicted_best", group.predicted_best},
          {"measured_best", group.measured_best}};
}

Json summary_of(const Validation& validation) {
  const ErrorSummary& errors = validation.errors;
  const ErrorSummary& datasheet = validation.datasheet_errors;
  std::size_t flagged = 0;
  for (const CaseScore& score : validation.cases)
    flagged += !score.from.flags.empty();
  Json json{{"cases", errors.cases},
            {"failed", validation.failed.size()},
            {"flagged", flagged},
            {"mean_absolute_error", errors.mean},
            {"p90_absolute_error", errors.p90},
            {"worst_absolute_error", errors.worst},
            {"worst_case", errors.worst_case},
            {"coverage_90", or_null(validation.coverage_90)},
            {"mean_interval_half_width", or_null(validation.mean_interval_half_width)},
            {"mean_kendall_tau", or_null(validation.mean_kendall_tau)},
            {"mean_regret", or_null(validation.mean_regret)},
            {"mean_noise", or_null(validation.mean_noise)}};
  json["datasheet"] = Json();
  if (datasheet.cases > 0)
    json["datasheet"] = {{"mean_absolute_error", datasheet.mean},
                         {"p90_absolute_error", datasheet.p90},
                         {"worst_absolute_error", datasheet.worst},
                         {"worst_case", datasheet.worst_case}};
  return json;
}

}  // namespace

std::string to_json(const Validation& validation) {
  const Provenance& provenance = validation.provenance;
  Json json{
      {"schema", "lockstep.validation/1"},
      {"suite", validation.suite},
      {"provenance",
       {{"version", provenance.version}, {"host", provenance.host}, {"time", provenance.time}}},
      {"summary", summary_of(validation)}};
  json["cases"] = Json::array();
  for (const CaseScore& score : validation.cases)
    json["cases"].push_back(json_of(score));
  json["groups"] = Json::array();
  for (const GroupScore& group : validation.groups)
    json["groups"].push_back(json_of(group));
  json["failed"] = Json::array();
  for (const auto& [name, why] : validation.failed)
    json["failed"].push_back({{"name", name}, {"why", why}});
  return to_text(json);
}

}  // namespace lockstep::results
