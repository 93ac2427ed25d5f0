// SPDX-License-Identifier: Apache-2.0
// The file of a validation suite (format: tests/validation/README.md): jobs that are predicted and
// run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/job_options.h"

namespace lockstep::cli {

struct SuiteCase {
  std::string name;     // unique, fit for a file's name: "star-ring-batch=64"
  std::string changes;  // of its topology against others of the suite's same case; "" = none
  bool in_testbed = false;
  ResolvedJob resolved;  // on the topology of the file
};

struct Suite {
  std::string name;
  std::int32_t rounds = 3;
  double seconds = 3;       // of each run
  std::int32_t images = 0;  // JPEG files to be drawn for networks that take colour; 0 = none
  std::vector<SuiteCase> cases;
};

/// Throws ConfigError.
Suite parse_suite(const std::string& text, const std::string& where);

}  // namespace lockstep::cli
