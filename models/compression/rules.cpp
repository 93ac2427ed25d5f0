// SPDX-License-Identifier: Apache-2.0
#include "models/compression/rules.h"

#include <string_view>

#include "models/base/errors.h"

namespace lockstep::compression {

namespace {

const std::string kAny = "*";

bool matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() != '*')
    return !text.empty() && pattern.front() == text.front() &&
           matches(pattern.substr(1), text.substr(1));
  return matches(pattern.substr(1), text) || (!text.empty() && matches(pattern, text.substr(1)));
}

}  // namespace

std::string name_of(const Rules& rules) {
  if (rules.empty()) return name_of(Codec{});
  std::string text;
  for (const Rule& rule : rules)
    text += (text.empty() ? "" : ",") + (rule.pattern == kAny ? "" : rule.pattern + "=") +
            name_of(rule.codec);
  return text;
}

Rules parse_rules(const std::string& text, const std::string& where) {
  Rules rules;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string one = text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t equals = one.find('=');
    const std::string pattern = equals == std::string::npos ? kAny : one.substr(0, equals);
    if (pattern.empty())
      throw ConfigError(where, "expected the name of a layer before =, is \"" + one + "\"");
    if (!rules.empty() && rules.back().pattern == kAny)
      throw ConfigError(
          where, "\"" + one + "\" follows a codec for all layers, so that it can " + "never hold");
    rules.push_back(
        {pattern, parse_codec(equals == std::string::npos ? one : one.substr(equals + 1), where)});
  }
  if (rules.size() == 1 && rules.front() == Rule{kAny, {}}) rules.clear();
  return rules;
}

Codec codec_for(const Rules& rules, const std::string& layer, const std::string& kind) {
  for (const Rule& rule : rules)
    if (matches(rule.pattern, layer) || matches(rule.pattern, kind)) return rule.codec;
  return {};
}

}  // namespace lockstep::compression
