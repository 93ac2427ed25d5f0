// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "models/base/object_json.h"
#include "models/results/compare.h"
#include "models/results/result_json.h"

namespace lockstep::results {

namespace {

std::string name_of(Unit unit) {
  switch (unit) {
    case Unit::Seconds:
      return "s";
    case Unit::ImagesPerSecond:
      return "images/s";
    case Unit::Bytes:
      return "B";
  }
  return "";
}

Json json_of(const ComparisonRow& row) {
  Json json{{"item", row.item}, {"unit", name_of(row.unit)}, {"a", row.a}, {"b", row.b}};
  json["error"] = row.error ? Json(*row.error) : Json();
  json["beyond_bound"] = row.beyond_bound;
  return json;
}

Json json_of(const Comparison& comparison) {
  Json json;
  json["a"] = {{"file", comparison.name_a}, {"origin", name_of(comparison.origin_a)}};
  json["b"] = {{"file", comparison.name_b}, {"origin", name_of(comparison.origin_b)}};
  json["differences"] = Json::array();
  for (const std::string& difference : comparison.differences)
    json["differences"].push_back(difference);
  json["rows"] = Json::array();
  for (const ComparisonRow& row : comparison.rows)
    json["rows"].push_back(json_of(row));
  json["interval_90"] = Json();
  json["inside_interval_90"] = Json();
  if (comparison.interval_90) {
    json["interval_90"] =
        Json::array({comparison.interval_90->first, comparison.interval_90->second});
    json["inside_interval_90"] = comparison.inside_interval;
  }
  json["max_error_of_mean_iteration"] = comparison.max_error ? Json(*comparison.max_error) : Json();
  json["passed"] = comparison.passed();
  return json;
}

}  // namespace

std::string to_json(std::span<const Comparison> comparisons) {
  Json list = Json::array();
  for (const Comparison& comparison : comparisons)
    list.push_back(json_of(comparison));
  const bool passed = std::all_of(comparisons.begin(), comparisons.end(),
                                  [](const Comparison& comparison) { return comparison.passed(); });
  return to_text({{"schema", "lockstep.comparison/1"}, {"passed", passed}, {"comparisons", list}});
}

}  // namespace lockstep::results
