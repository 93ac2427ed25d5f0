// SPDX-License-Identifier: Apache-2.0
// lockstep schedule show|verify|convert: looks at schedules, proves them, reads and writes them.
#include <iostream>

#include "cli/command_line.h"
#include "cli/schedule_source.h"
#include "cli/schedule_text.h"
#include "models/base/errors.h"
#include "models/msccl/from_schedule.h"
#include "models/msccl/program_xml.h"
#include "models/msccl/steps.h"
#include "models/results/result.h"
#include "models/schedule/schedule_json.h"

namespace lockstep::cli {

namespace {

using schedule::Violation;

constexpr const char* kHelp =
    "lockstep schedule show|verify|convert\n\n"
    "  show      prints a schedule step by step, with rounds, messages and bytes\n"
    "  verify    proves it: whatever the times, it ends, and every sum is right\n"
    "  convert   between Lockstep's JSON form and MSCCL's XML\n\n"
    "A schedule is an algorithm's (--algorithm), a file's (.json: ours, .xml: MSCCL's), or the\n"
    "iteration of a training job (--job). lockstep schedule SUBCOMMAND --help says more.\n";

/// What is given without a flag.
std::vector<std::string> files_of(const options::variables_map& values, std::size_t most) {
  if (!values.count("file")) return {};
  const auto files = values["file"].as<std::vector<std::string>>();
  if (files.size() > most)
    throw ConfigError("schedule", "expected at most " + std::to_string(most) +
                                      " files, there are " + std::to_string(files.size()));
  return files;
}

/// Parses `arguments`; nothing if it was --help that they asked for, which is answered.
std::optional<options::variables_map> parse_or_help(const options::options_description& flags,
                                                    const Arguments& arguments) {
  options::options_description all;
  all.add(flags).add_options()("file", options::value<std::vector<std::string>>());
  options::variables_map values = parse(all, arguments, "file");
  if (values.count("help")) {
    std::cout << flags;
    return std::nullopt;
  }
  return values;
}

NamedSchedule read_one(const options::variables_map& values) {
  const std::vector<std::string> files = files_of(values, 1);
  return read_schedule(values, files.empty() ? std::nullopt : std::optional(files[0]));
}

/// What is wrong with a schedule; of several claims, the first that does not hold.
std::vector<Violation> violations_of(const NamedSchedule& named) {
  if (named.claims.empty()) return schedule::verify(named.schedule, named.contract);
  std::vector<Violation> violations;
  for (const training::Iteration::Claim& claim : named.claims)
    if (violations.empty()) violations = schedule::verify(claim.schedule, claim.contract);
  return violations;
}

/// Prints what is wrong with a schedule; whether nothing is.
bool report(const NamedSchedule& named) {
  const std::vector<Violation> violations = violations_of(named);
  for (const Violation& violation : violations)
    std::cout << "  " << violation.message << "\n";
  return violations.empty();
}

int show(const Arguments& arguments) {
  options::options_description flags(
      "lockstep schedule show FILE | --algorithm A --ranks P --count N | --job FILE\n\n"
      "Prints all steps of a schedule, rank by rank, and in the end what it amounts to.\nFlags");
  flags.add_options()("help", "this text")("rank", options::value<std::string>(),
                                           "only the steps of this rank")(
      "json", "print our JSON form instead")("job", options::value<std::string>(),
                                             "the iteration of a training job");
  add_schedule_options(flags);
  const auto values = parse_or_help(flags, arguments);
  if (!values) return kFine;
  const NamedSchedule named = read_one(*values);
  const schedule::Schedule& schedule = named.schedule;
  if (values->count("json")) {
    if (values->count("rank")) throw ConfigError("--rank", "cannot be given together with --json");
    std::cout << to_json(schedule);
    return kFine;
  }
  Rank first = 0;
  Rank end = schedule.ranks;
  if (values->count("rank")) {
    first = static_cast<Rank>(whole_number(*values, "rank", 0, schedule.ranks - 1));
    end = first + 1;
  }
  std::cout << title(schedule, named.contract) << "\n\n";
  for (Rank rank = first; rank < end; ++rank)
    std::cout << steps_in_words(schedule, rank) << "\n";
  if (violations_of(named).empty())
    std::cout << "proven\n" << summary_in_words(schedule, named.contract);
  else
    std::cout << "NOT proven: lockstep schedule verify says what is wrong\n";
  return kFine;
}

int verify(const Arguments& arguments) {
  options::options_description flags(
      "lockstep schedule verify FILE | --algorithm A --ranks P --count N | --job FILE\n\n"
      "Proves a schedule: sends and receives pair up; it cannot deadlock, even if every send "
      "waited\n"
      "for its receive; no two steps race; every element ends with what the collective promises,\n"
      "each rank's contribution exactly once. Says what is violated otherwise; the status is 1.\n"
      "Flags");
  flags.add_options()("help", "this text")("job", options::value<std::string>(),
                                           "the iteration of a training job");
  add_schedule_options(flags);
  const auto values = parse_or_help(flags, arguments);
  if (!values) return kFine;
  const NamedSchedule named = read_one(*values);
  const bool is_proven = report(named);
  std::cout << title(named.schedule, named.contract)
            << (is_proven ? ": proven\n" : ": NOT proven\n");
  if (!is_proven) return kCheckFailed;
  std::cout << summary_in_words(named.schedule, named.contract);
  return kFine;
}

/// The program that the schedule becomes; nothing if it is not proven, which is said.
std::optional<msccl::Program> program_of(const NamedSchedule& named) {
  if (named.program) return named.program;
  if (named.algorithm) return msccl::make_program(*named.algorithm, named.operation);
  if (report(named)) return msccl::make_program(named.schedule, named.contract);
  std::cout << title(named.schedule, named.contract) << ": NOT proven, so it is not converted\n";
  return std::nullopt;
}

int convert(const Arguments& arguments) {
  options::options_description flags(
      "lockstep schedule convert IN OUT | --algorithm A --ranks P [--count N] OUT\n\n"
      "Reads a schedule and writes it as the name of OUT says: .json is Lockstep's form, .xml\n"
      "MSCCL's. An MSCCL file is for any number of elements: an algorithm's needs no --count, but\n"
      "to become JSON an MSCCL file does (by default one element a chunk). What is in JSON must "
      "be\n"
      "proven to become XML, where only what is needed for the sums remains of its order.\nFlags");
  flags.add_options()("help", "this text");
  add_schedule_options(flags);
  const auto values = parse_or_help(flags, arguments);
  if (!values) return kFine;
  const std::size_t expected = values->count("algorithm") ? 1 : 2;
  const std::vector<std::string> files = files_of(*values, expected);
  if (files.size() < expected)
    throw ConfigError("schedule convert", expected == 1 ? "expected the file to write"
                                                        : "expected two files, IN and OUT");
  const std::string& out = files.back();
  const bool to_xml = is_xml(out);
  const NamedSchedule named =
      read_schedule(*values, expected == 1 ? std::nullopt : std::optional(files[0]), to_xml);
  std::string text;
  if (to_xml) {
    const std::optional<msccl::Program> program = program_of(named);
    if (!program) return kCheckFailed;
    text = msccl::to_xml(*program);
    msccl::parse_program(text, out);  // whatever it was made of, it must be a file that is read
  } else {
    text = to_json(named.schedule);
  }
  results::write_file(out, text);
  std::cout << "wrote " << out << "\n";
  return kFine;
}

}  // namespace

int run_schedule(const Arguments& arguments) {
  struct Subcommand {
    const char* name;
    int (*run)(const Arguments&);
  };
  constexpr Subcommand kSubcommands[] = {{"show", show}, {"verify", verify}, {"convert", convert}};
  if (arguments.empty() || arguments[0] == "--help") {
    std::cout << kHelp;
    return arguments.empty() ? kBadInput : kFine;
  }
  std::vector<std::string> names;
  for (const Subcommand& subcommand : kSubcommands) {
    if (arguments[0] == subcommand.name)
      return subcommand.run(Arguments(arguments.begin() + 1, arguments.end()));
    names.emplace_back(subcommand.name);
  }
  const std::string guess = nearest(arguments[0], names.data(), names.data() + names.size());
  throw ConfigError("schedule", "unknown subcommand \"" + arguments[0] + "\"" +
                                    (guess.empty() ? ", see lockstep schedule --help"
                                                   : "; did you mean " + guess + "?"));
}

}  // namespace lockstep::cli
