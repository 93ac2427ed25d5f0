// SPDX-License-Identifier: Apache-2.0
#include "models/base/object_json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "models/base/errors.h"
#include "models/base/units.h"

namespace lockstep {

std::string quoted(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= 60) return text;
  std::size_t end = 57;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;  // not in the middle of a character
  return text.substr(0, end) + "...";
}

namespace {

std::string listed(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// "1048576", "0.5", "1e+18".
std::string plain(double number) {
  return Json(number).dump();
}

/// JSON leaves open which of two equal keys counts, so neither may. The callback sees every key
/// with its depth: the keys of the objects that are open now lie on a stack.
class UniqueKeys {
 public:
  explicit UniqueKeys(const std::string& where) : where_(where) {}

  bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
    constexpr int kDeepest = 64;  // what walks through a value calls itself at every level
    if (depth > kDeepest) throw ConfigError(where_, "is nested deeper than 64 levels");
    if (event == Json::parse_event_t::object_start) open_.emplace_back();
    if (event == Json::parse_event_t::object_end) open_.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto key = parsed.get<std::string>();
      std::vector<std::string>& keys = open_.back();
      if (std::find(keys.begin(), keys.end(), key) != keys.end())
        throw ConfigError(where_, "has the key \"" + key + "\" twice in one object");
      keys.push_back(key);
    }
    return true;
  }

 private:
  const std::string& where_;
  std::vector<std::vector<std::string>> open_;
};

}  // namespace

Json parse_json(const std::string& text, const std::string& where) {
  try {
    UniqueKeys unique(where);
    return Json::parse(text, std::ref(unique));
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: …": drop the tag.
    std::string message = error.what();
    const std::size_t tag = message.find("] ");
    if (tag != std::string::npos) message.erase(0, tag + 2);
    // It quotes the text, which may be anything.
    std::replace_if(
        message.begin(), message.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    throw ConfigError(where, "is not JSON: " + message);
  }
}

double checked_number(const Json& value, double low, double high, const std::string& where) {
  if (!value.is_number()) throw ConfigError(where, "must be a number, is " + quoted(value));
  const auto number = value.get<double>();
  if (!(number >= low && number <= high)) {
    const bool unbounded = high >= std::numeric_limits<double>::max();
    throw ConfigError(
        where, "must be " +
                   (unbounded ? "at least " + plain(low) : plain(low) + " … " + plain(high)) +
                   ", is " + quoted(value));
  }
  return number;
}

namespace {

[[noreturn]] void wrong_integer(const Json& value, const std::string& low, const std::string& high,
                                bool unbounded, const std::string& where) {
  const std::string range = unbounded ? "of at least " + low : low + " … " + high;
  throw ConfigError(where, "must be a whole number " + range + ", is " + quoted(value));
}

}  // namespace

std::int64_t checked_integer(const Json& value, std::int64_t low, std::int64_t high,
                             const std::string& where) {
  const bool fits =
      value.is_number_integer() &&
      (!value.is_number_unsigned() || value.get<std::uint64_t>() <= std::uint64_t{INT64_MAX});
  if (!fits || value.get<std::int64_t>() < low || value.get<std::int64_t>() > high)
    wrong_integer(value, std::to_string(low), std::to_string(high), high >= INT32_MAX, where);
  return value.get<std::int64_t>();
}

std::uint64_t checked_count(const Json& value, std::uint64_t low, std::uint64_t high,
                            const std::string& where) {
  const bool fits =
      value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0);
  if (!fits || value.get<std::uint64_t>() < low || value.get<std::uint64_t>() > high)
    wrong_integer(value, std::to_string(low), std::to_string(high), high >= UINT32_MAX, where);
  return value.get<std::uint64_t>();
}

std::uint64_t checked_bytes(const Json& value, const std::string& where) {
  if (value.is_string()) return parse_bytes(value.get<std::string>(), where);
  return checked_count(value, 0, std::uint64_t{1} << 53, where);
}

ObjectReader::ObjectReader(const Json& json, std::string file, std::string pointer,
                           const Keys& keys)
    : json_(&json), file_(std::move(file)), pointer_(std::move(pointer)) {
  if (!json.is_object()) throw ConfigError(place(), "must be an object, is " + quoted(json));
  for (const auto& [key, value] : json.items()) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    const std::string meant = nearest(key, keys.data(), keys.data() + keys.size());
    throw ConfigError(place(key), meant.empty() ? "unknown key (known here: " + listed(keys) + ")"
                                                : "unknown key; did you mean \"" + meant + "\"?");
  }
}

std::string ObjectReader::place() const {
  return pointer_.empty() ? file_ : file_ + ": " + pointer_;
}

const Json& ObjectReader::value(const std::string& key) const {
  const auto found = json_->find(key);
  if (found == json_->end()) throw ConfigError(place(), "\"" + key + "\" is missing");
  return *found;
}

std::string ObjectReader::place(const std::string& key) const {
  return file_ + ": " + pointer_ + "/" + key;
}

std::string ObjectReader::text(const std::string& key, std::optional<std::string> fallback) const {
  if (fallback && !has(key)) return *fallback;
  const Json& field = value(key);
  if (!field.is_string()) throw ConfigError(place(key), "must be a text, is " + quoted(field));
  return field.get<std::string>();
}

bool ObjectReader::boolean(const std::string& key, std::optional<bool> fallback) const {
  if (fallback && !has(key)) return *fallback;
  const Json& field = value(key);
  if (!field.is_boolean())
    throw ConfigError(place(key), "must be true or false, is " + quoted(field));
  return field.get<bool>();
}

double ObjectReader::number(const std::string& key, double low, double high,
                            std::optional<double> fallback) const {
  if (fallback && !has(key)) return *fallback;
  return checked_number(value(key), low, high, place(key));
}

std::uint64_t ObjectReader::bytes(const std::string& key,
                                  std::optional<std::uint64_t> fallback) const {
  if (fallback && !has(key)) return *fallback;
  return checked_bytes(value(key), place(key));
}

double ObjectReader::seconds(const std::string& key, std::optional<double> fallback) const {
  if (fallback && !has(key)) return *fallback;
  return parse_seconds(text(key), place(key));
}

double ObjectReader::bandwidth(const std::string& key, std::optional<double> fallback) const {
  if (fallback && !has(key)) return *fallback;
  return parse_bandwidth(text(key), place(key));
}

ObjectReader ObjectReader::object(const std::string& key, const Keys& keys) const {
  return {value(key), file_, pointer_ + "/" + key, keys};
}

const Json& ObjectReader::list(const std::string& key) const {
  const Json& field = value(key);
  if (!field.is_array()) throw ConfigError(place(key), "must be a list, is " + quoted(field));
  return field;
}

std::vector<ObjectReader> ObjectReader::objects(const std::string& key, const Keys& keys) const {
  std::vector<ObjectReader> readers;
  for (const Json& element : list(key))
    readers.emplace_back(element, file_,
                         pointer_ + "/" + key + "/" + std::to_string(readers.size()), keys);
  return readers;
}

std::vector<std::string> ObjectReader::texts(const std::string& key) const {
  std::vector<std::string> values;
  for (const Json& element : list(key)) {
    if (!element.is_string())
      throw ConfigError(place(key) + "/" + std::to_string(values.size()),
                        "must be a text, is " + quoted(element));
    values.push_back(element.get<std::string>());
  }
  return values;
}

std::vector<double> ObjectReader::numbers(const std::string& key) const {
  std::vector<double> values;
  for (const Json& element : list(key)) {
    const std::string where = place(key) + "/" + std::to_string(values.size());
    constexpr double kLargest = std::numeric_limits<double>::max();
    values.push_back(element.is_null() ? std::numeric_limits<double>::quiet_NaN()
                                       : checked_number(element, -kLargest, kLargest, where));
  }
  return values;
}

namespace {

std::string one_line(const Json& json) {
  // dump() writes {"a":1,"b":2}; the spaces are put in here, between members only, because a text
  // may hold commas and colons of its own.
  if (!json.is_structured()) return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string text;
  for (const auto& [key, value] : json.items()) {
    if (!text.empty()) text += ", ";
    if (json.is_object())
      text += Json(key).dump(-1, ' ', false, Json::error_handler_t::replace) + ": ";
    text += one_line(value);
  }
  return json.is_object() ? "{" + text + "}" : "[" + text + "]";
}

/// `row`: an element of a list.
void append(std::string& text, const Json& json, std::size_t indent, bool row) {
  constexpr std::size_t kColumns = 100;
  const bool flat = std::none_of(json.begin(), json.end(),
                                 [](const Json& value) { return value.is_structured(); });
  if (!json.is_structured() || json.empty() || (flat && indent > 0)) {
    const std::string line = one_line(json);
    if (!json.is_structured() || json.empty() || (row && json.is_object()) ||
        indent + line.size() < kColumns) {
      text += line;
      return;
    }
  }
  const std::string margin(indent + 2, ' ');
  const bool list = json.is_array();
  text += list ? "[" : "{";
  std::size_t column = kColumns;  // the first element starts a line
  for (const auto& [key, value] : json.items()) {
    std::string entry =
        list ? "" : Json(key).dump(-1, ' ', false, Json::error_handler_t::replace) + ": ";
    append(entry, value, indent + 2, list);
    if (&value != &json.front()) text += ",";
    if (list && flat && column + entry.size() + 3 < kColumns) {
      text += " " + entry;
      column += entry.size() + 2;
    } else {
      text += "\n";
      text += margin;
      text += entry;
      column = margin.size() + entry.size();
    }
  }
  text.append(1, '\n').append(indent, ' ').append(list ? "]" : "}");
}

}  // namespace

std::string to_text(const Json& json) {
  std::string text;
  append(text, json, 0, false);
  return text + "\n";
}

}  // namespace lockstep
