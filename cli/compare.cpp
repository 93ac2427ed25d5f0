// SPDX-License-Identifier: Apache-2.0
// lockstep compare: predicted against measured, item by item.
#include <iostream>

#include "cli/command_line.h"
#include "models/base/errors.h"
#include "models/results/compare.h"

namespace lockstep::cli {

int run_compare(const Arguments& arguments) {
  options::options_description flags(
      "lockstep compare A.json B.json… [flags]\n\n"
      "The first result is compared with each other one; the measured one of a pair is the\n"
      "reference, so that an error of +10 % says: predicted 10 % too slow.\nFlags");
  auto add = flags.add_options();
  add("help", "this text");
  add("max-error", options::value<std::string>(),
      "bound on the error of the mean iteration time (\"10%\"); beyond it the status is 1");
  add("out", options::value<std::string>(), "write the comparison as JSON");
  options::options_description all;
  all.add(flags).add_options()("result", options::value<std::vector<std::string>>());
  const options::variables_map values = parse(all, arguments, "result");
  if (values.count("help")) {
    std::cout << flags;
    return kFine;
  }
  const auto paths = values.count("result") ? values["result"].as<std::vector<std::string>>()
                                            : std::vector<std::string>();
  if (paths.size() < 2) throw ConfigError("compare", "expected at least two result files");
  std::vector<results::NamedResult> named;
  for (const std::string& path : paths)
    named.push_back({path, results::load_result(path)});
  std::optional<double> bound;
  if (values.count("max-error"))
    bound = share(values["max-error"].as<std::string>(), "--max-error");

  const std::vector<results::Comparison> comparisons = results::compare_all(named, bound);
  bool passed = true;
  for (const results::Comparison& comparison : comparisons) {
    std::cout << results::to_table(comparison);
    passed = passed && comparison.passed();
  }
  if (values.count("out"))
    results::write_file(values["out"].as<std::string>(), results::to_json(comparisons));
  return passed ? kFine : kCheckFailed;
}

}  // namespace lockstep::cli
