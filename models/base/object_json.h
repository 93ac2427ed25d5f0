// SPDX-License-Identifier: Apache-2.0
// What the readers and writers of our JSON files share: strict reading of objects with the place in
// every error, and a layout that people can read. Included by *_json.cpp only.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "models/base/text_file.h"

namespace lockstep {

/// Keeps the keys of an object in the order of the file.
using Json = nlohmann::ordered_json;

/// Throws ConfigError when `text` is not JSON (line and column), an object has a key twice, or it
/// is nested deeper than any file of ours.
Json parse_json(const std::string& text, const std::string& where);

/// `value` as it stands in the file, shortened, for the end of an error's text.
std::string quoted(const Json& value);

/// Two spaces a level. What holds no further objects or lists stays on one line if that has at most
/// 100 columns; such objects in a list, the rows of a table, always do. Longer lists of numbers run
/// on over several lines. Numbers read back exactly; ends with a newline. Equal values, equal text.
std::string to_text(const Json& json);

/// One JSON object, read strictly. Every getter throws ConfigError("file: /pointer/key", …) when
/// the field has the wrong type or range, and when it is missing and has no fallback.
class ObjectReader {
 public:
  using Keys = std::vector<std::string>;

  /// Throws unless `json` is an object with no keys other than `keys`. `json` must outlive the
  /// reader; `file` and `pointer` say where it stands ("job.json", "/links/3").
  ObjectReader(const Json& json, std::string file, std::string pointer, const Keys& keys);

  bool has(const std::string& key) const { return json_->contains(key); }
  const Json& value(const std::string& key) const;
  /// "file: /pointer" and "file: /pointer/key", for errors.
  std::string place() const;
  std::string place(const std::string& key) const;
  const std::string& file() const { return file_; }
  const std::string& pointer() const { return pointer_; }

  std::string text(const std::string& key, std::optional<std::string> fallback = {}) const;
  bool boolean(const std::string& key, std::optional<bool> fallback = {}) const;
  /// Finite, low ≤ x ≤ high.
  double number(const std::string& key, double low, double high,
                std::optional<double> fallback = {}) const;
  /// A whole number, low ≤ x ≤ high.
  template <typename Integer>
  Integer integer(const std::string& key, Integer low = 0,
                  Integer high = std::numeric_limits<Integer>::max(),
                  std::optional<Integer> fallback = {}) const;
  /// A whole number of bytes, or a text with a unit: "4 MiB" (parse_bytes).
  std::uint64_t bytes(const std::string& key, std::optional<std::uint64_t> fallback = {}) const;
  /// A text with a unit: "25 us", in seconds; "10 Gbit/s", in bytes per second.
  double seconds(const std::string& key, std::optional<double> fallback = {}) const;
  double bandwidth(const std::string& key, std::optional<double> fallback = {}) const;

  ObjectReader object(const std::string& key, const Keys& keys) const;
  /// The elements of a list of objects that all have `keys`.
  std::vector<ObjectReader> objects(const std::string& key, const Keys& keys) const;
  /// A list of numbers; null stands for one that is not finite and is read as NaN.
  std::vector<double> numbers(const std::string& key) const;
  std::vector<std::string> texts(const std::string& key) const;

 private:
  const Json& list(const std::string& key) const;

  const Json* json_;
  std::string file_;
  std::string pointer_;
};

/// The checks behind the getters, for values that stand alone. `where` goes in front of errors.
double checked_number(const Json& value, double low, double high, const std::string& where);
std::int64_t checked_integer(const Json& value, std::int64_t low, std::int64_t high,
                             const std::string& where);
std::uint64_t checked_count(const Json& value, std::uint64_t low, std::uint64_t high,
                            const std::string& where);
std::uint64_t checked_bytes(const Json& value, const std::string& where);

template <typename Integer>
Integer ObjectReader::integer(const std::string& key, Integer low, Integer high,
                              std::optional<Integer> fallback) const {
  if (fallback && !has(key)) return *fallback;
  if constexpr (std::numeric_limits<Integer>::is_signed)
    return static_cast<Integer>(checked_integer(value(key), low, high, place(key)));
  else
    return static_cast<Integer>(checked_count(value(key), low, high, place(key)));
}

}  // namespace lockstep
