// SPDX-License-Identifier: Apache-2.0
// The one program: picks the subcommand, and is the only place that catches.
#include <cstdio>
#include <exception>
#include <iostream>

#include "cli/command_line.h"
#include "exec/transport/errors.h"
#include "models/base/errors.h"

namespace lockstep::cli {
namespace {

struct Subcommand {
  const char* name;
  const char* does;
  int (*run)(const Arguments&);
};

constexpr Subcommand kSubcommands[] = {
    {"calibrate", "measure this machine and write the cost model's parameters", run_calibrate},
    {"simulate", "predict a training job", run_simulate},
    {"train", "train for real: on this machine, or as one rank of several machines", run_train},
    {"compare", "predicted against measured, item by item", run_compare},
    {"data", "make a set of drawn images, or check a set of JPEG files", run_data},
    {"topology", "check, draw and generate topologies", run_topology},
    {"bench", "measure all-reduces, networks, and the simulator", run_bench},
    {"testbed", "build a topology out of network namespaces and train in it", run_testbed},
    {"validate", "predict and run a suite of jobs: how true predictions are", run_validate},
    {"plan", "how long training to an accuracy takes, by batch and ranks", run_plan},
    {"sweep", "simulate many configurations on all cores", run_sweep},
    {"check-sensitivity", "see which inputs of a prediction move it", run_check_sensitivity},
    {"schedule", "show, prove and convert schedules", run_schedule},
};

void print_usage() {
  std::puts(
      "lockstep: predicts and runs synchronous data-parallel training\n\n"
      "usage: lockstep SUBCOMMAND [flags]      lockstep SUBCOMMAND --help says all about it\n");
  for (const Subcommand& subcommand : kSubcommands)
    std::printf("  %-17s %s\n", subcommand.name, subcommand.does);
  std::puts("\nexit status: 0 fine, 1 a check failed, 2 bad input, 3 a peer or the network failed");
}

int run(const Arguments& arguments) {
  if (arguments.empty()) {
    print_usage();
    return kBadInput;
  }
  if (arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
    print_usage();
    return kFine;
  }
  if (arguments[0] == "--version") {
    std::puts("lockstep " LOCKSTEP_VERSION);
    return kFine;
  }
  std::vector<std::string> names;
  for (const Subcommand& subcommand : kSubcommands) {
    if (arguments[0] == subcommand.name)
      return subcommand.run(Arguments(arguments.begin() + 1, arguments.end()));
    names.push_back(subcommand.name);
  }
  const std::string guess = nearest(arguments[0], names.data(), names.data() + names.size());
  throw ConfigError("unknown subcommand \"" + arguments[0] + "\"" +
                    (guess.empty() ? ", see lockstep --help" : "; did you mean " + guess + "?"));
}

}  // namespace
}  // namespace lockstep::cli

int main(int count, char** values) {
  try {
    return lockstep::cli::run({values + 1, values + count});
  } catch (const lockstep::ConfigError& error) {
    std::cerr << "lockstep: " << error.what() << '\n';
    return lockstep::cli::kBadInput;
  } catch (const lockstep::exec::PeerError& error) {
    std::cerr << "lockstep: " << error.what() << '\n';
    return lockstep::cli::kNetworkFailed;
  } catch (const std::bad_alloc&) {
    std::cerr << "lockstep: out of memory\n";
    return lockstep::cli::kBadInput;
  }
}
