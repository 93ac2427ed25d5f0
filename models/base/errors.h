// SPDX-License-Identifier: Apache-2.0
// The two ways in which code above the sockets may fail: wrong input, and a wrong program.
#pragma once

#include <stdexcept>
#include <string>

namespace lockstep {

/// The input is wrong. Thrown by loaders and by the command line only, caught in main (exit 2).
/// The text says where, what, and what was expected:
/// `topologies/ring_8.json: /links/3/bandwidth: must be positive, is "-1 Gbit/s"`.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  /// `where` is a file or a flag; the text becomes "where: what".
  ConfigError(const std::string& where, const std::string& what)
      : std::runtime_error(where + ": " + what) {}
};

/// Prints the failed condition, its explanation and place, and aborts. Use LOCKSTEP_CHECK.
[[noreturn]] void check_failed(const char* condition, const std::string& explanation,
                               const char* file, int line);

/// The candidate nearest to `word` in edit distance, or empty when none is near enough to suggest.
std::string nearest(const std::string& word, const std::string* begin, const std::string* end);

}  // namespace lockstep

/// The program is wrong if `condition` is false: on in every build, never caught.
/// `explanation` is a string expression with the values at hand; built only on failure.
#define LOCKSTEP_CHECK(condition, explanation)                                 \
  do {                                                                         \
    if (!(condition)) [[unlikely]]                                             \
      ::lockstep::check_failed(#condition, (explanation), __FILE__, __LINE__); \
  } while (false)
