// SPDX-License-Identifier: Apache-2.0
// The job's fields of accumulation, rate and optimizer.
#include <sstream>

#include "models/training/job_field_json.h"

namespace lockstep::training {

namespace {

std::vector<std::int32_t> iterations_of(const Json& value, Where where) {
  if (!value.is_array())
    throw ConfigError(where, "must be a list of iterations, is " + value.dump());
  std::vector<std::int32_t> iterations;
  for (const Json& iteration : value) {
    const std::int32_t least = iterations.empty() ? 0 : iterations.back();
    iterations.push_back(integer_of(iteration, least, kMany, where));
  }
  return iterations;
}

Json list_of(const std::vector<std::int32_t>& iterations) {
  Json list = Json::array();
  for (const std::int32_t iteration : iterations)
    list.push_back(iteration);
  return list;
}

/// "2@1000,1.5@3000": a factor and the iteration from which on it counts.
std::string text_of(const std::vector<BatchGrowth>& growths) {
  std::string text;
  for (const BatchGrowth& growth : growths)
    text += (text.empty() ? "" : ",") + Json(growth.factor).dump() + "@" +
            std::to_string(growth.iteration);
  return text;
}

std::vector<BatchGrowth> growths_of(const std::string& text, Where where) {
  std::vector<BatchGrowth> growths;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    const std::size_t at = word.find('@');
    const Json factor = Json::parse(word.substr(0, at), nullptr, false);
    const Json iteration =
        at == std::string::npos ? Json() : Json::parse(word.substr(at + 1), nullptr, false);
    if (!factor.is_number() || !iteration.is_number_integer())
      throw ConfigError(where,
                        "must be a list of FACTOR@ITERATION, such as 2@1000, is \"" + text + "\"");
    const std::int32_t least = growths.empty() ? 1 : growths.back().iteration + 1;
    growths.push_back(
        {checked_number(factor, 1, 1024, where), integer_of(iteration, least, kMany, where)});
  }
  return growths;
}

Json json_of_staleness(const std::optional<std::int32_t>& staleness) {
  if (!staleness) return Json("off");
  return *staleness == kUnboundedStaleness ? Json("unbounded") : Json(*staleness);
}

std::optional<std::int32_t> staleness_of(const Json& value, Where where) {
  if (value == Json("off")) return std::nullopt;
  if (value == Json("unbounded")) return kUnboundedStaleness;
  const Json number =  // a flag's value is a text
      value.is_string() ? Json::parse(value.get<std::string>(), nullptr, false) : value;
  if (!number.is_number_integer())
    throw ConfigError(where,
                      "must be off, unbounded, or a number of iterations, is " + value.dump());
  return integer_of(number, 0, kMostStaleness, where);
}

constexpr JobField kFields[] = {
    {"accumulate", [](const Job& job) { return Json(job.accumulate); },
     [](Job& job, const Json& value, Where where) {
       job.accumulate = integer_of(value, 1, 1 << 20, where);
     }},
    {"batch_growth", [](const Job& job) { return Json(text_of(job.batch_growth)); },
     [](Job& job, const Json& value, Where where) {
       job.batch_growth = growths_of(training::text_of(value, where), where);
     }},
    {"local_steps", [](const Job& job) { return Json(job.local_steps); },
     [](Job& job, const Json& value, Where where) {
       job.local_steps = integer_of(value, 0, 1 << 16, where);
     }},
    {"local_from", [](const Job& job) { return Json(job.local_from); },
     [](Job& job, const Json& value, Where where) {
       job.local_from = integer_of(value, 0, kMany, where);
     }},
    {"staleness", [](const Job& job) { return json_of_staleness(job.staleness); },
     [](Job& job, const Json& value, Where where) { job.staleness = staleness_of(value, where); }},
    {"learning_rate", [](const Job& job) { return Json(job.learning_rate); },
     [](Job& job, const Json& value, Where where) {
       if (value.is_number() && value.get<double>() <= 0)
         throw ConfigError(where, "must be positive, is " + value.dump());
       job.learning_rate = checked_number(value, kSmallest, kLargest, where);
     }},
    {"momentum", [](const Job& job) { return Json(job.momentum); },
     [](Job& job, const Json& value, Where where) {
       if (value.is_number() && !(value.get<double>() >= 0 && value.get<double>() < 1))
         throw ConfigError(where, "must be at least 0 and below 1, is " + value.dump());
       job.momentum = checked_number(value, 0, 1, where);
     }},
    {"noise_scale", [](const Job& job) { return Json(job.noise_scale); },
     [](Job& job, const Json& value, Where where) { job.noise_scale = truth_of(value, where); }},
    {"optimizer", [](const Job& job) { return Json(name_of(job.update.optimizer)); },
     [](Job& job, const Json& value, Where where) {
       job.update.optimizer = one_of(network::kOptimizers, value, where);
     }},
    {"weight_decay", [](const Job& job) { return Json(job.update.weight_decay); },
     [](Job& job, const Json& value, Where where) {
       job.update.weight_decay = checked_number(value, 0, 1, where);
     }},
    {"beta2", [](const Job& job) { return Json(job.update.beta2); },
     [](Job& job, const Json& value, Where where) {
       if (value.is_number() && !(value.get<double>() >= 0 && value.get<double>() < 1))
         throw ConfigError(where, "must be at least 0 and below 1, is " + value.dump());
       job.update.beta2 = checked_number(value, 0, 1, where);
     }},
    {"epsilon", [](const Job& job) { return Json(job.update.epsilon); },
     [](Job& job, const Json& value, Where where) {
       job.update.epsilon = checked_number(value, 0, 1, where);
     }},
    {"trust", [](const Job& job) { return Json(job.update.trust); },
     [](Job& job, const Json& value, Where where) {
       job.update.trust = checked_number(value, kSmallest, kLargest, where);
     }},
    {"rate_policy", [](const Job& job) { return Json(name_of(job.rate.policy)); },
     [](Job& job, const Json& value, Where where) {
       using enum RatePolicy;
       job.rate.policy =
           one_of(std::array{Constant, Step, Cosine, Polynomial, Exponential}, value, where);
     }},
    {"rate_scaling", [](const Job& job) { return Json(name_of(job.rate.scaling)); },
     [](Job& job, const Json& value, Where where) {
       using enum RateScaling;
       job.rate.scaling = one_of(std::array{None, Linear, SquareRoot}, value, where);
     }},
    {"base_batch", [](const Job& job) { return Json(job.rate.base_batch); },
     [](Job& job, const Json& value, Where where) {
       job.rate.base_batch = integer_of(value, 1, kMany, where);
     }},
    {"warm_up", [](const Job& job) { return Json(job.rate.warm_up); },
     [](Job& job, const Json& value, Where where) {
       job.rate.warm_up = integer_of(value, 0, kMany, where);
     }},
    {"rate_drops", [](const Job& job) { return list_of(job.rate.drops); },
     [](Job& job, const Json& value, Where where) {
       job.rate.drops = iterations_of(value, where);
     }},
    {"drop_factor", [](const Job& job) { return Json(job.rate.drop_factor); },
     [](Job& job, const Json& value, Where where) {
       job.rate.drop_factor = checked_number(value, kSmallest, kLargest, where);
     }},
    {"rate_end", [](const Job& job) { return Json(job.rate.end); },
     [](Job& job, const Json& value, Where where) {
       job.rate.end = checked_number(value, 0, kLargest, where);
     }},
    {"rate_power", [](const Job& job) { return Json(job.rate.power); },
     [](Job& job, const Json& value, Where where) {
       job.rate.power = checked_number(value, kSmallest, kLargest, where);
     }},
};

}  // namespace

std::span<const JobField> learning_fields() {
  return kFields;
}

}  // namespace lockstep::training
