// SPDX-License-Identifier: Apache-2.0
#include "models/training/job_field_json.h"

namespace lockstep::training {

std::string text_of(const Json& value, const std::string& where) {
  if (!value.is_string()) throw ConfigError(where, "must be a text, is " + value.dump());
  return value.get<std::string>();
}

std::int32_t integer_of(const Json& value, std::int32_t low, std::int32_t high,
                        const std::string& where) {
  return static_cast<std::int32_t>(checked_integer(value, low, high, where));
}

bool truth_of(const Json& value, const std::string& where) {
  if (!value.is_boolean()) throw ConfigError(where, "must be true or false, is " + value.dump());
  return value.get<bool>();
}

std::vector<double> numbers_of(const Json& value, double low, double high,
                               const std::string& where) {
  if (!value.is_array()) throw ConfigError(where, "must be a list of numbers, is " + value.dump());
  std::vector<double> numbers;
  for (const Json& number : value)
    numbers.push_back(checked_number(number, low, high, where));
  return numbers;
}

Json list_of(const std::vector<double>& numbers) {
  Json list = Json::array();
  for (const double number : numbers)
    list.push_back(number);
  return list;
}

}  // namespace lockstep::training
