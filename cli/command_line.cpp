// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <cmath>
#include <cstdlib>
#include <sstream>

#include "models/base/errors.h"

namespace lockstep::cli {

namespace {

std::string flag_of(std::string name) {
  while (!name.empty() && name.front() == '-')
    name.erase(0, 1);
  return "--" + name;
}

[[noreturn]] void throw_unknown(const options::options_description& description,
                                const std::string& given) {
  std::vector<std::string> known;
  for (const auto& option : description.options())
    known.push_back("--" + option->long_name());
  const std::string name = flag_of(given);
  const std::string guess = nearest(name, known.data(), known.data() + known.size());
  throw ConfigError(name, "unknown flag" + (guess.empty() ? std::string(", see --help")
                                                          : "; did you mean " + guess + "?"));
}

}  // namespace

options::variables_map parse(const options::options_description& description,
                             const Arguments& arguments, const std::string& positional) {
  namespace style = options::command_line_style;
  options::positional_options_description positions;
  if (!positional.empty()) positions.add(positional.c_str(), -1);
  options::variables_map values;
  try {
    options::store(options::command_line_parser(arguments)
                       .options(description)
                       .positional(positions)
                       .style(style::unix_style & ~style::allow_guessing & ~style::allow_sticky)
                       .run(),
                   values);
    options::notify(values);
  } catch (const options::unknown_option& error) {
    throw_unknown(description, error.get_option_name());
  } catch (const options::too_many_positional_options_error&) {
    throw ConfigError("arguments without a flag are not expected here, see --help");
  } catch (const options::error_with_option_name& error) {
    throw ConfigError(flag_of(error.get_option_name()), error.what());
  } catch (const options::error& error) {
    throw ConfigError(error.what());
  }
  return values;
}

double number(const options::variables_map& values, const std::string& flag, double low,
              double high) {
  return number_of(values[flag].as<std::string>(), flag, low, high);
}

double number_of(const std::string& text, const std::string& flag, double low, double high) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != '\0' || !(value >= low && value <= high)) {
    char range[96];
    std::snprintf(range, sizeof range, "expected a number from %g to %g, is \"", low, high);
    throw ConfigError("--" + flag, range + text + "\"");
  }
  return value;
}

std::int64_t whole_number(const options::variables_map& values, const std::string& flag,
                          std::int64_t low, std::int64_t high) {
  const std::string text = values[flag].as<std::string>();
  char* end = nullptr;
  errno = 0;
  const long long value = std::strtoll(text.c_str(), &end, 10);
  if (end == text.c_str() || *end != '\0' || errno != 0 || value < low || value > high)
    throw ConfigError("--" + flag, "expected a whole number from " + std::to_string(low) + " to " +
                                       std::to_string(high) + ", is \"" + text + "\"");
  return value;
}

std::vector<std::int32_t> number_list(const std::string& text, const std::string& flag) {
  std::vector<std::int32_t> numbers;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');) {
    char* end = nullptr;
    const long number = std::strtol(word.c_str(), &end, 10);
    if (word.empty() || *end != '\0' || number < 1 || number > 1 << 20)
      throw ConfigError(flag, "expected whole numbers such as 8,16,32, is \"" + text + "\"");
    if (!numbers.empty() && number <= numbers.back())
      throw ConfigError(flag, "expected ascending numbers, is \"" + text + "\"");
    numbers.push_back(static_cast<std::int32_t>(number));
  }
  if (numbers.empty()) throw ConfigError(flag, "expected at least one number");
  return numbers;
}

double share(const std::string& text, const std::string& flag) {
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  if (end != text.c_str() && *end == '%') {
    value /= 100;
    ++end;
  }
  if (end == text.c_str() || *end != '\0' || !(value >= 0) || !std::isfinite(value))
    throw ConfigError(flag, "expected a share such as \"10%\" or \"0.1\", is \"" + text + "\"");
  return value;
}

}  // namespace lockstep::cli
