// SPDX-License-Identifier: Apache-2.0
#include "cli/schedule_source.h"

#include <cmath>
#include <utility>

#include "cli/job_options.h"
#include "models/base/errors.h"
#include "models/base/text_file.h"
#include "models/base/units.h"
#include "models/msccl/program_xml.h"
#include "models/msccl/steps.h"
#include "models/schedule/schedule_json.h"
#include "models/training/job_json.h"

namespace lockstep::cli {

namespace {

using collectives::Algorithm;
using collectives::Collective;
using collectives::Operation;

constexpr std::int64_t kMostRanks = 1 << 16;
constexpr std::int64_t kMostElements = std::int64_t{1} << 40;
/// Of all ranks together: what a proof holds at one time, some GiB.
constexpr std::uint64_t kMostSteps = std::uint64_t{1} << 24;

/// Throws ConfigError if one of `flags` is given, which `why` says is of no use.
void refuse(const options::variables_map& values, const std::vector<std::string>& flags,
            const std::string& why) {
  for (const std::string& flag : flags)
    if (values.count(flag)) throw ConfigError("--" + flag, why);
}

template <typename Integer>
Integer integer(const options::variables_map& values, const std::string& flag, std::int64_t low,
                std::int64_t high, Integer fallback) {
  if (!values.count(flag)) return fallback;
  return static_cast<Integer>(whole_number(values, flag, low, high));
}

Collective collective_of(const options::variables_map& values) {
  if (!values.count("collective")) return Collective::AllReduce;
  return collectives::parse_collective(values["collective"].as<std::string>(), "--collective");
}

Rank root_of(const options::variables_map& values, Collective collective, std::int32_t ranks) {
  if (collective != Collective::Broadcast)
    refuse(values, {"root"}, "only a broadcast has a root (--collective broadcast)");
  return integer<Rank>(values, "root", 0, ranks - 1, 0);
}

/// Groups of so many consecutive ranks; by default about as many groups as ranks in a group.
std::vector<std::int32_t> groups_of(const options::variables_map& values, std::int32_t ranks) {
  const auto square = static_cast<std::int32_t>(std::ceil(std::sqrt(ranks)));
  const auto size = integer<std::int32_t>(values, "group-by", 1, kMostRanks, square);
  std::vector<std::int32_t> groups;
  for (Rank rank = 0; rank < ranks; ++rank)
    groups.push_back(rank / size);
  return groups;
}

/// The most elements of a message; 0 = no bound.
std::uint64_t segment_elements(const options::variables_map& values, std::uint64_t count) {
  if (!values.count("segment-bytes")) return 0;
  if (!values.count("count")) throw ConfigError("--count", "expected beside --segment-bytes");
  const std::uint64_t bytes =
      parse_bytes(values["segment-bytes"].as<std::string>(), "--segment-bytes");
  const std::uint64_t size = bytes_of(schedule::ElementType::Float32);
  if (bytes % size != 0)
    throw ConfigError("--segment-bytes", "expected a multiple of the " + std::to_string(size) +
                                             " bytes of an element, is " + std::to_string(bytes));
  if (bytes > 0 && count / (bytes / size) > kMostSteps)
    throw ConfigError("--segment-bytes",
                      "cuts the data into more than " + std::to_string(kMostSteps) + " messages");
  return bytes / size;
}

NamedSchedule of_algorithm(const options::variables_map& values, bool any_count) {
  for (const char* flag : {"ranks", "count"})
    if (!values.count(flag) && !(any_count && flag == std::string("count")))
      throw ConfigError(std::string("--") + flag, "expected beside --algorithm");
  NamedSchedule named;
  const Algorithm algorithm =
      collectives::parse_algorithm(values["algorithm"].as<std::string>(), "--algorithm");
  named.algorithm = algorithm;
  Operation& operation = named.operation;
  operation.collective = collective_of(values);
  collectives::check_legal(algorithm, operation.collective, "--algorithm");
  operation.ranks = integer<std::int32_t>(values, "ranks", 1, kMostRanks, 1);
  operation.data.count = integer<std::uint64_t>(values, "count", 0, kMostElements, 0);
  operation.root = root_of(values, operation.collective, operation.ranks);
  if (algorithm == Algorithm::Hierarchical)
    operation.groups = groups_of(values, operation.ranks);
  else
    refuse(values, {"group-by"}, "only hierarchical has groups");
  if (algorithm != Algorithm::ParameterServer)
    refuse(values, {"servers"}, "only parameter-server has servers");
  operation.servers = integer<std::int32_t>(values, "servers", 1, operation.ranks, 0);
  operation.segment_elements = segment_elements(values, operation.data.count);
  named.schedule = collectives::make_schedule(algorithm, operation);
  named.contract = collectives::contract_of(operation);
  return named;
}

NamedSchedule of_xml(const options::variables_map& values, const std::string& path) {
  refuse(values, {"collective", "root"}, "the file says so itself");
  NamedSchedule named;
  named.program = msccl::load_program(path);
  const auto count = integer<std::uint64_t>(values, "count", 0, kMostElements,
                                            static_cast<std::uint64_t>(named.program->chunks));
  named.schedule = msccl::make_schedule(*named.program, count);
  named.contract = msccl::contract_of(*named.program, count);
  return named;
}

NamedSchedule of_json(const options::variables_map& values, const std::string& path) {
  refuse(values, {"count"}, "the file says so itself");
  NamedSchedule named;
  named.schedule = schedule::parse_schedule(read_text(path), path);
  if (named.schedule.buffers.empty())
    throw ConfigError(path, "has no buffers, expected the data in the first");
  named.contract.slice = {0, 0, named.schedule.buffers[0].count};
  named.contract.collective = collective_of(values);
  named.contract.root = root_of(values, named.contract.collective, named.schedule.ranks);
  return named;
}

NamedSchedule of_job(const options::variables_map& values) {
  refuse(values, {"count", "collective", "root"}, "the job says so itself");
  const ResolvedJob resolved = resolve(training::load_job(values["job"].as<std::string>()));
  NamedSchedule named;
  named.schedule = resolved.iteration.schedule;
  named.claims = resolved.iteration.claims();
  named.contract = named.claims.front().contract;
  return named;
}

void check_size(const schedule::Schedule& schedule) {
  std::uint64_t steps = 0;
  for (const schedule::Fragment& fragment : schedule.fragments)
    for (Rank rank = 0; rank < schedule.ranks; ++rank) {
      const schedule::StepSource::Shape shape = fragment.steps->shape(rank);
      steps += std::uint64_t{shape.rounds} * shape.steps_per_round;
      if (steps > kMostSteps)
        throw ConfigError(schedule.name, "has more than the " + std::to_string(kMostSteps) +
                                             " steps that can be held at one time");
    }
}

}  // namespace

void add_schedule_options(options::options_description& description) {
  auto add = description.add_options();
  add("algorithm", options::value<std::string>(),
      "ring, recursive-doubling, halving-doubling, binomial-tree, double-tree, hierarchical, "
      "torus, bcube or parameter-server");
  add("ranks", options::value<std::string>(), "of the algorithm");
  add("count", options::value<std::string>(),
      "elements (floats), with --algorithm or an MSCCL file (there by default one a chunk)");
  add("collective", options::value<std::string>(),
      "all-reduce (default), reduce-scatter, all-gather or broadcast; what a JSON file is to "
      "achieve on its first buffer");
  add("root", options::value<std::string>(), "of a broadcast (default 0)");
  add("segment-bytes", options::value<std::string>(), "largest message (\"256 KiB\")");
  add("group-by", options::value<std::string>(),
      "hierarchical: groups of so many consecutive ranks (default: √ranks, rounded up)");
  add("servers", options::value<std::string>(), "parameter-server: how many (default: all ranks)");
}

bool is_xml(const std::string& path) {
  if (path.ends_with(".xml")) return true;
  if (path.ends_with(".json")) return false;
  throw ConfigError(path, "expected a name ending in .json (ours) or .xml (MSCCL's)");
}

NamedSchedule read_schedule(const options::variables_map& values,
                            const std::optional<std::string>& file, bool any_count) {
  const bool has_algorithm = values.count("algorithm") > 0;
  const bool has_job = values.count("job") > 0;
  if (int{has_algorithm} + int{has_job} + int{file.has_value()} != 1)
    throw ConfigError("schedule", "expected one of: --algorithm, a file, or (show, verify) --job");
  if (!has_algorithm)
    refuse(values, {"ranks", "segment-bytes", "group-by", "servers"}, "belongs to --algorithm");
  NamedSchedule named = has_algorithm   ? of_algorithm(values, any_count)
                        : has_job       ? of_job(values)
                        : is_xml(*file) ? of_xml(values, *file)
                                        : of_json(values, *file);
  check_size(named.schedule);
  return named;
}

}  // namespace lockstep::cli
