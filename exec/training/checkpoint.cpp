// SPDX-License-Identifier: Apache-2.0
#include "exec/training/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "exec/training/optimizer.h"
#include "exec/training/safetensors_json.h"
#include "exec/training/tensor_order.h"
#include "models/base/errors.h"
#include "models/training/batch_growth.h"

namespace lockstep::exec {

namespace {

using network::Network;
using network::Parameter;

constexpr const char* kOwnPrefix = "own_memory.";

/// Calls visit(parameter, its order) for all tensors of the network.
template <typename Visit>
void for_parameters(const Network& network, const Visit& visit) {
  for (std::size_t l = 0; l < network.layers.size(); ++l)
    for (std::size_t t = 0; t < network.layers[l].parameters.size(); ++t)
      visit(network.layers[l].parameters[t], TensorOrder(network, l, t));
}

/// Calls visit(name, first, count, order) for what the job's optimizer keeps of every tensor that
/// is learnt; first and count are in Optimizer::state().
template <typename Visit>
void for_state(const Network& network, const training::Job& job, const Visit& visit) {
  std::uint64_t begin = 0;
  for (const std::string& state : state_names(job.update.optimizer)) {
    for_parameters(network, [&](const Parameter& parameter, const TensorOrder& order) {
      if (parameter.learnt)
        visit(state + "." + parameter.name, begin + parameter.first, parameter.count, order);
    });
    begin += network.flat_count;
  }
}

TensorSource source_of(const std::string& name, const TensorOrder& order,
                       std::span<const float> ours) {
  return {name, order.file_shape(), [order, ours] {
            std::vector<float> elements(ours.size());
            order.for_each(
                [&](std::uint64_t at, std::uint64_t in_file) { elements[in_file] = ours[at]; });
            return elements;
          }};
}

void add_parameters(const Network& network, std::span<const float> parameters,
                    std::vector<TensorSource>& tensors) {
  for_parameters(network, [&](const Parameter& parameter, const TensorOrder& order) {
    tensors.push_back(
        source_of(parameter.name, order, parameters.subspan(parameter.first, parameter.count)));
  });
}

void read_tensor(SafetensorsReader& reader, const std::string& name, const TensorOrder& order,
                 std::span<float> ours) {
  const std::vector<float> elements = reader.read(name, order.file_shape());
  order.for_each([&](std::uint64_t at, std::uint64_t in_file) { ours[at] = elements[in_file]; });
}

void read_parameters(SafetensorsReader& reader, const Network& network,
                     std::span<float> parameters) {
  for_parameters(network, [&](const Parameter& parameter, const TensorOrder& order) {
    read_tensor(reader, parameter.name, order,
                parameters.subspan(parameter.first, parameter.count));
  });
}

Metadata metadata_of(const Network& network) {
  return {{"format", "pt"}, {"network", network.name}};
}

/// A whole number of the metadata.
std::uint64_t number_of(const SafetensorsReader& reader, const std::string& key) {
  const auto found = reader.metadata().find(key);
  if (found == reader.metadata().end())
    throw ConfigError(reader.path(), "is no checkpoint: its metadata lacks \"" + key + "\"");
  std::uint64_t number = 0;
  const std::string& text = found->second;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || stop != text.data() + text.size())
    throw ConfigError(reader.path() + ": /__metadata__/" + key,
                      "must be a whole number, is \"" + text + "\"");
  return number;
}

std::int32_t iterations_of(const SafetensorsReader& reader) {
  const std::uint64_t iterations = number_of(reader, "iterations");
  if (iterations > std::uint64_t{INT32_MAX})
    throw ConfigError(reader.path() + ": /__metadata__/iterations",
                      "must be below 2^31, is " + std::to_string(iterations));
  return static_cast<std::int32_t>(iterations);
}

/// Whether what codecs keep for one is of use for the other: parameters may differ.
bool are_alike(const compression::Rules& a, const compression::Rules& b) {
  return std::ranges::equal(a, b, [](const compression::Rule& one, const compression::Rule& other) {
    return one.pattern == other.pattern && one.codec.method == other.codec.method;
  });
}

/// Files from before there was any have none.
void expect_compression(const SafetensorsReader& reader, const training::Job& job) {
  const auto found = reader.metadata().find("compression");
  const std::string was =
      found == reader.metadata().end() ? name_of(compression::Rules{}) : found->second;
  const compression::Rules rules =
      compression::parse_rules(was, reader.path() + ": /__metadata__/compression");
  if (!are_alike(rules, job.compression))
    throw ConfigError(reader.path(), "was trained with compression " + was +
                                         ", cannot go on with " + name_of(job.compression));
}

/// Which batches there were so far.
std::string batches_of(const training::Job& job, std::int32_t iterations) {
  std::string text;
  training::Job done = job;
  done.iterations = iterations;
  for (const training::Phase& phase : training::phases_of(done))
    text += (text.empty() ? "" : ",") + std::to_string(phase.job.batch) + "@" +
            std::to_string(phase.first);
  return text;
}

void expect_batches(const SafetensorsReader& reader, const training::Job& job,
                    std::int32_t iterations) {
  const auto found = reader.metadata().find("batches");
  const std::string was = found != reader.metadata().end()
                              ? found->second
                              : std::to_string(number_of(reader, "batch")) + "@0";
  if (const std::string expected = batches_of(job, iterations); was != expected)
    throw ConfigError(reader.path(), "was trained with batches (images @ iteration) " + was +
                                         ", cannot go on from " + expected);
}

/// Whose ranks differ goes on as it was; where they do not, they may begin to.
void expect_averaging(const SafetensorsReader& reader, const training::Job& job,
                      std::int32_t iterations) {
  training::Job was = job;
  was.staleness = std::nullopt;
  if (reader.metadata().contains("staleness"))
    was.staleness = static_cast<std::int32_t>(number_of(reader, "staleness"));
  const auto found = reader.metadata().find("local_steps");
  was.local_steps = 0;
  if (found != reader.metadata().end()) {
    was.local_steps = static_cast<std::int32_t>(number_of(reader, "local_steps"));
    was.local_from = static_cast<std::int32_t>(number_of(reader, "local_from"));
  }
  const bool was_local = training::is_local(was, iterations - 1);
  const bool is_local = training::is_local(job, iterations - 1);
  if (was.staleness == job.staleness && was_local == is_local &&
      (!is_local || (was.local_steps == job.local_steps && was.local_from == job.local_from)))
    return;
  throw ConfigError(reader.path(), "was trained " + describe_averaging(was) +
                                       "; cannot go on after " + std::to_string(iterations) +
                                       " iterations " + describe_averaging(job));
}

}  // namespace

void save_parameters(const std::string& path, const Network& network,
                     std::span<const float> parameters) {
  std::vector<TensorSource> tensors;
  add_parameters(network, parameters, tensors);
  write_safetensors(path, metadata_of(network), tensors);
}

void load_parameters(const std::string& path, const Network& network, std::span<float> parameters) {
  SafetensorsReader reader(path);
  read_parameters(reader, network, parameters);
}

void save_checkpoint(const std::string& path, const Network& network, const training::Job& job,
                     std::int32_t iterations, std::span<const float> parameters,
                     std::span<const float> state,
                     const std::vector<std::vector<float>>& own_memories) {
  std::vector<TensorSource> tensors;
  add_parameters(network, parameters, tensors);
  for_state(network, job,
            [&](const std::string& name, std::uint64_t first, std::uint64_t count,
                const TensorOrder& order) {
              tensors.push_back(source_of(name, order, state.subspan(first, count)));
            });
  for (std::size_t rank = 0; rank < own_memories.size(); ++rank)
    tensors.push_back({kOwnPrefix + std::to_string(rank),
                       {own_memories[rank].size()},
                       [&memory = own_memories[rank]] { return memory; }});
  Metadata metadata = metadata_of(network);
  metadata["compression"] = name_of(job.compression);
  if (job.local_steps > 0) {
    metadata["local_steps"] = std::to_string(job.local_steps);
    metadata["local_from"] = std::to_string(job.local_from);
  }
  if (job.staleness) metadata["staleness"] = std::to_string(*job.staleness);
  metadata["ranks"] = std::to_string(job.ranks);
  metadata["iterations"] = std::to_string(iterations);
  if (!job.batch_growth.empty()) metadata["batches"] = batches_of(job, iterations);
  metadata["batch"] = std::to_string(job.batch);
  metadata["seed"] = std::to_string(job.seed);
  write_safetensors(path, metadata, tensors);
}

std::int32_t load_checkpoint(const std::string& path, const Network& network,
                             const training::Job& job, std::span<float> parameters,
                             std::span<float> state) {
  SafetensorsReader reader(path);
  const std::int32_t iterations = iterations_of(reader);
  const auto expect = [&](const std::string& key, std::uint64_t expected) {
    if (const std::uint64_t found = number_of(reader, key); found != expected)
      throw ConfigError(path, "was trained with " + key + " " + std::to_string(found) +
                                  ", cannot go on with " + std::to_string(expected));
  };
  expect("batch", static_cast<std::uint64_t>(job.batch));
  expect("seed", job.seed);
  expect_compression(reader, job);
  expect_averaging(reader, job, iterations);
  expect_batches(reader, job, iterations);
  read_parameters(reader, network, parameters);
  for_state(network, job,
            [&](const std::string& name, std::uint64_t first, std::uint64_t count,
                const TensorOrder& order) {
              read_tensor(reader, name, order, state.subspan(first, count));
            });
  return iterations;
}

std::vector<float> load_own_memory(const std::string& path, const training::Job& job, Rank rank,
                                   std::size_t floats) {
  SafetensorsReader reader(path);
  if (const std::uint64_t ranks = number_of(reader, "ranks");
      ranks != static_cast<std::uint64_t>(job.ranks))
    throw ConfigError(path, "has what each of " + std::to_string(ranks) +
                                " ranks keeps, cannot go on with " + std::to_string(job.ranks));
  return reader.read(kOwnPrefix + std::to_string(rank), {floats});
}

std::int32_t iterations_of_checkpoint(const std::string& path) {
  return iterations_of(SafetensorsReader(path));
}

}  // namespace lockstep::exec
