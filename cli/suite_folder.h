// SPDX-License-Identifier: Apache-2.0
// The folder in which the parts of a validation lie, each a file of its own that is written whole
// and then never again: so an interrupted validation goes on where it was.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/suite_json.h"
#include "models/results/validation.h"

namespace lockstep::cli {

class SuiteFolder {
 public:
  /// Makes the folder. Throws ConfigError.
  explicit SuiteFolder(std::string path);

  /// Draws the suite's images, if it asks for them, and makes them the data of the jobs that have
  /// none and train on colours. Returns and throws as provide_machine().
  int provide_images(Suite& suite) const;
  /// What all cases are predicted from: `given`, or else calibrated for just what they need; in
  /// either case with messages between hosts, if a case needs them. Returns kFine, or the status to
  /// end with when interrupted. Throws ConfigError when it fails.
  int provide_machine(const Suite& suite, const std::optional<std::string>& given) const;
  /// Writes the case's prediction down, and the one from a datasheet. Throws ConfigError when the
  /// folder has that of another job.
  void predict(const SuiteCase& one, double seconds) const;
  bool was_run(const SuiteCase& one, std::int32_t round) const;
  struct RunEnd {
    int status = 0;     // to end with, when interrupted; else kFine
    std::string fault;  // why there is no measurement; "" = there is
  };
  /// Runs what was predicted.
  RunEnd run(const SuiteCase& one, std::int32_t round) const;
  /// What there is of the case: nothing before the first run.
  std::optional<results::ValidationCase> result(const SuiteCase& one, std::int32_t rounds) const;
  /// "predicted 31.2 ms, measured 30.9 ms".
  std::string in_short(const SuiteCase& one, std::int32_t round) const;

 private:
  std::string file(const std::string& name, const std::string& ending) const;
  std::string measured(const SuiteCase& one, std::int32_t round) const;
  int start(const Arguments& arguments, const std::string& name, double limit_seconds,
            std::string& fault) const;

  std::string path_;
};

}  // namespace lockstep::cli
