// SPDX-License-Identifier: Apache-2.0
// What all subcommands share: strict parsing of flags, and the list of subcommands.
#pragma once

#include <boost/program_options.hpp>

#include <string>
#include <vector>

namespace lockstep::exec {
class Testbed;
}

namespace lockstep::cli {

namespace options = boost::program_options;

using Arguments = std::vector<std::string>;

/// Exit status of the program.
inline constexpr int kFine = 0, kCheckFailed = 1, kBadInput = 2, kNetworkFailed = 3;

/// Parses the arguments of a subcommand; `positional` names the option that takes arguments
/// without a flag ("" = there are none). Throws ConfigError: unknown flags (with a suggestion),
/// missing or repeated values.
options::variables_map parse(const options::options_description& description,
                             const Arguments& arguments, const std::string& positional = "");

/// The value of a flag as a whole number in [low, high], or as a number. Throws ConfigError.
std::int64_t whole_number(const options::variables_map& values, const std::string& flag,
                          std::int64_t low, std::int64_t high);
double number(const options::variables_map& values, const std::string& flag, double low,
              double high);

/// A part of a flag's value as a number, likewise.
double number_of(const std::string& text, const std::string& flag, double low, double high);

/// "8,16,32": ascending whole numbers from 1 on. Throws ConfigError naming `flag`.
std::vector<std::int32_t> number_list(const std::string& text, const std::string& flag);

/// "10%" or "0.1" → 0.1. Throws ConfigError naming `flag`.
double share(const std::string& text, const std::string& flag);

/// The subcommands. Each has one file; each gets what follows its name and returns an exit status.
int run_calibrate(const Arguments& arguments);
int run_simulate(const Arguments& arguments);
int run_train(const Arguments& arguments);
int run_compare(const Arguments& arguments);
int run_plan(const Arguments& arguments);
int run_data(const Arguments& arguments);
int run_bench(const Arguments& arguments);
int run_schedule(const Arguments& arguments);
int run_sweep(const Arguments& arguments);
int run_validate(const Arguments& arguments);
int run_check_sensitivity(const Arguments& arguments);
int run_topology(const Arguments& arguments);
int run_testbed(const Arguments& arguments);

/// Those that start ranks, in the hosts of a testbed; without one on this machine.
int run_train_in(const exec::Testbed* testbed, const Arguments& arguments);
int run_bench_allreduce_in(const exec::Testbed* testbed, const Arguments& arguments);

/// The benchmarks, likewise.
int run_bench_allreduce(const Arguments& arguments);
int run_bench_network(const Arguments& arguments);
int run_bench_codec(const Arguments& arguments);
int run_bench_simulate(const Arguments& arguments);

/// The parts of lockstep topology, likewise.
int run_topology_draw(const Arguments& arguments);
int run_topology_generate(const Arguments& arguments);

}  // namespace lockstep::cli
