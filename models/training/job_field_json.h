// SPDX-License-Identifier: Apache-2.0
// How fields of the job file are declared, and how values of one kind are read. Included by
// *_json.cpp of this folder only.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "models/base/errors.h"
#include "models/base/object_json.h"
#include "models/training/job.h"
#include "models/training/job_json.h"

namespace lockstep::training {

using Where = const std::string&;

/// A field of the job file: how it is written, and how it is read, with its range.
struct JobField {
  const char* key;
  Json (*write)(const Job& job);
  void (*read)(Job& job, const Json& value, Where where);
};

/// How gradients become updates; the rest is in job_json.cpp.
std::span<const JobField> learning_fields();

inline constexpr std::int32_t kMany = std::numeric_limits<std::int32_t>::max();
inline constexpr double kLargest = std::numeric_limits<double>::max();
inline constexpr double kSmallest = std::numeric_limits<double>::denorm_min();  // "above 0"

std::string text_of(const Json& value, const std::string& where);
std::int32_t integer_of(const Json& value, std::int32_t low, std::int32_t high,
                        const std::string& where);
bool truth_of(const Json& value, const std::string& where);
std::vector<double> numbers_of(const Json& value, double low, double high,
                               const std::string& where);
Json list_of(const std::vector<double>& numbers);

/// The enumerator of that name.
template <typename Enum, std::size_t n>
Enum one_of(const std::array<Enum, n>& all, const Json& value, const std::string& where) {
  const std::string name = text_of(value, where);
  std::array<std::string, n> names;
  std::string list;
  for (std::size_t i = 0; i < n; ++i) {
    names[i] = name_of(all[i]);
    if (names[i] == name) return all[i];
    list += (i == 0 ? "" : ", ") + names[i];
  }
  const std::string meant = nearest(name, names.data(), names.data() + n);
  throw ConfigError(where, "must be one of " + list + ", is \"" + name + "\"" +
                               (meant.empty() ? "" : "; did you mean \"" + meant + "\"?"));
}

}  // namespace lockstep::training
