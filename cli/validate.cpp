// SPDX-License-Identifier: Apache-2.0
// lockstep validate: predicts the cases of a suite, runs them, and says how true that was.
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>

#include "cli/command_line.h"
#include "cli/prediction.h"
#include "cli/suite_folder.h"
#include "cli/suite_json.h"
#include "models/base/errors.h"
#include "models/base/text_file.h"
#include "models/results/validation.h"

namespace lockstep::cli {

namespace {

options::options_description validate_flags() {
  options::options_description flags(
      "lockstep validate SUITE.json --out report.json [flags]\n\n"
      "Calibrates for the suite's cases, predicts all of them and writes that down, then runs "
      "them\n"
      "in rounds, one after the other: on this machine, or in testbeds (as root). Reports how far\n"
      "the predictions were off, whether their intervals held, and whether the best choice was\n"
      "found. Started again after it was interrupted, it goes on. Leave the machine alone "
      "meanwhile.\n"
      "A suite: {\"schema\": \"lockstep.suite/1\", \"name\": \"mine\", \"cases\": [\n"
      "  {\"name\": \"star\",\n"
      "   \"topology\": {\"name\": \"star\", \"generate\": {\"star\": {\"hosts\": 4,\n"
      "                \"bandwidth\": \"100 Mbit/s\", \"latency\": \"0 us\"}}},\n"
      "   \"job\": {\"network\": \"lenet5\", \"ranks\": 4, \"batch\": 64},\n"
      "   \"grid\": {\"job/algorithm\": [\"ring\", \"double-tree\"]}}]}\nFlags");
  auto add = flags.add_options();
  add("help", "this text");
  add("suite", options::value<std::string>(), "the suite (without the flag's name)");
  add("out", options::value<std::string>(), "the report to write");
  add("plot", options::value<std::string>(), "draw it too, as SVG");
  add("work", options::value<std::string>(),
      "folder of predictions and measurements (default: the report's name without .json)");
  add("machine", options::value<std::string>(),
      "machine file to predict from, instead of calibrating for the suite");
  add("rounds", options::value<std::string>(),
      "instead of the suite's; 0: predict only, and report on what was run before");
  add("only", options::value<std::string>(), "cases with this in their name");
  add("max-error", options::value<std::string>(),
      "status 1 when the mean absolute error of the iteration is beyond it");
  return flags;
}

std::string work_folder(const options::variables_map& values, const std::string& out) {
  if (values.count("work")) return values["work"].as<std::string>();
  std::filesystem::path path = out;
  path.replace_extension();
  return path.string() == out ? out + ".work" : path.string();
}

/// What is to be run of it now.
Suite selected(Suite suite, const options::variables_map& values) {
  if (values.count("rounds"))
    suite.rounds = static_cast<std::int32_t>(whole_number(values, "rounds", 0, 100));
  if (values.count("only")) {
    const std::string part = values["only"].as<std::string>();
    std::erase_if(suite.cases,
                  [&](const SuiteCase& one) { return one.name.find(part) == std::string::npos; });
    if (suite.cases.empty())
      throw ConfigError("--only", "no case has \"" + part + "\" in its name");
  }
  return suite;
}

/// A case that fails is told and tried again the next time. Returns the status to end with when
/// interrupted.
int run_rounds(const Suite& suite, const SuiteFolder& folder,
               std::map<std::string, std::string>& faults) {
  for (std::int32_t round = 0; round < suite.rounds; ++round) {
    std::size_t number = 0;
    for (const SuiteCase& one : suite.cases) {
      ++number;
      if (folder.was_run(one, round)) continue;
      std::fprintf(stderr, "round %d of %d, %zu of %zu: %s: ", round + 1, suite.rounds, number,
                   suite.cases.size(), one.name.c_str());
      const SuiteFolder::RunEnd end = folder.run(one, round);
      if (end.status != kFine) {
        std::fprintf(stderr, "interrupted\n");
        return end.status;
      }
      if (!end.fault.empty()) faults[one.name] = end.fault;
      std::fprintf(stderr, "%s\n",
                   end.fault.empty() ? folder.in_short(one, round).c_str() : end.fault.c_str());
    }
  }
  return kFine;
}

results::Validation report_on(const Suite& suite, const SuiteFolder& folder,
                              const std::map<std::string, std::string>& faults) {
  std::vector<results::ValidationCase> cases;
  std::vector<std::pair<std::string, std::string>> failed;
  for (const SuiteCase& one : suite.cases) {
    if (auto result = folder.result(one, suite.rounds)) {
      cases.push_back(*std::move(result));
      continue;
    }
    const auto fault = faults.find(one.name);
    failed.emplace_back(one.name, fault == faults.end() ? "there was no round" : fault->second);
  }
  results::Validation validation = results::validate(std::move(cases), std::move(failed));
  validation.suite = suite.name;
  validation.provenance = provenance(0);
  return validation;
}

}  // namespace

int run_validate(const Arguments& arguments) {
  const options::options_description flags = validate_flags();
  const options::variables_map values = parse(flags, arguments, "suite");
  if (values.count("help")) {
    std::cout << flags;
    return kFine;
  }
  if (!values.count("suite")) throw ConfigError("validate", "expected a suite, see --help");
  if (!values.count("out")) throw ConfigError("--out", "expected the report to write");
  check_outputs(values, {"out", "plot"});
  const std::string out = values["out"].as<std::string>();
  std::optional<double> bound;
  if (values.count("max-error"))
    bound = share(values["max-error"].as<std::string>(), "--max-error");
  std::optional<std::string> machine;
  if (values.count("machine")) machine = values["machine"].as<std::string>();

  const std::string path = values["suite"].as<std::string>();
  Suite whole = parse_suite(read_text(path), path);
  selected(whole, values);  // so that what is wrong is said before anything is made
  const SuiteFolder folder(work_folder(values, out));
  if (const int status = folder.provide_images(whole); status != kFine) return status;
  const Suite suite = selected(whole, values);
  std::fprintf(stderr, "calibration\n");
  if (const int status = folder.provide_machine(whole, machine); status != kFine) return status;
  std::fprintf(stderr, "predictions of %zu cases\n", suite.cases.size());
  for (const SuiteCase& one : suite.cases)
    folder.predict(one, suite.seconds);
  std::map<std::string, std::string> faults;
  if (const int status = run_rounds(suite, folder, faults); status != kFine) return status;

  const results::Validation validation = report_on(suite, folder, faults);
  results::write_file(out, results::to_json(validation));
  if (values.count("plot"))
    results::write_file(values["plot"].as<std::string>(), results::to_svg(validation));
  std::cout << results::to_table(validation);
  if (!validation.failed.empty()) return kCheckFailed;
  return bound && validation.errors.mean > *bound ? kCheckFailed : kFine;
}

}  // namespace lockstep::cli
