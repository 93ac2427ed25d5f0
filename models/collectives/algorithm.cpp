// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/algorithm.h"

#include "models/base/errors.h"
#include "models/collectives/bcube.h"
#include "models/collectives/binomial_tree.h"
#include "models/collectives/double_tree.h"
#include "models/collectives/halving_doubling.h"
#include "models/collectives/hierarchical.h"
#include "models/collectives/parameter_server.h"
#include "models/collectives/recursive_doubling.h"
#include "models/collectives/ring.h"
#include "models/collectives/torus.h"

namespace lockstep::collectives {

const std::vector<Algorithm>& all_algorithms() {
  static const std::vector<Algorithm> all{Algorithm::Ring,
                                          Algorithm::RecursiveDoubling,
                                          Algorithm::HalvingDoubling,
                                          Algorithm::BinomialTree,
                                          Algorithm::DoubleTree,
                                          Algorithm::Hierarchical,
                                          Algorithm::Torus,
                                          Algorithm::Bcube,
                                          Algorithm::ParameterServer};
  return all;
}

const std::vector<Collective>& all_collectives() {
  static const std::vector<Collective> all{Collective::AllReduce, Collective::ReduceScatter,
                                           Collective::AllGather, Collective::Broadcast};
  return all;
}

std::string name_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::Ring:
      return "ring";
    case Algorithm::RecursiveDoubling:
      return "recursive-doubling";
    case Algorithm::HalvingDoubling:
      return "halving-doubling";
    case Algorithm::BinomialTree:
      return "binomial-tree";
    case Algorithm::DoubleTree:
      return "double-tree";
    case Algorithm::Hierarchical:
      return "hierarchical";
    case Algorithm::Torus:
      return "torus";
    case Algorithm::Bcube:
      return "bcube";
    case Algorithm::ParameterServer:
      return "parameter-server";
  }
  return "";
}

namespace {

/// The one of `all` that has the name.
template <typename Enum>
Enum parse(const std::vector<Enum>& all, const char* kind, const std::string& name,
           const std::string& where) {
  std::vector<std::string> names;
  for (const Enum one : all) {
    names.push_back(name_of(one));
    if (names.back() == name) return one;
  }
  std::string text = std::string("unknown ") + kind + " \"" + name + "\", expected one of";
  for (const std::string& known : names)
    text += " " + known;
  const std::string guess = nearest(name, names.data(), names.data() + names.size());
  throw ConfigError(where, text + (guess.empty() ? "" : "; did you mean \"" + guess + "\"?"));
}

}  // namespace

Algorithm parse_algorithm(const std::string& name, const std::string& where) {
  return parse(all_algorithms(), "algorithm", name, where);
}

Collective parse_collective(const std::string& name, const std::string& where) {
  return parse(all_collectives(), "collective", name, where);
}

bool is_legal(Algorithm algorithm, Collective collective) {
  switch (algorithm) {
    case Algorithm::Ring:
    case Algorithm::HalvingDoubling:
    case Algorithm::Bcube:
      return collective != Collective::Broadcast;
    case Algorithm::BinomialTree:
    case Algorithm::DoubleTree:
      return collective == Collective::AllReduce || collective == Collective::Broadcast;
    case Algorithm::RecursiveDoubling:
    case Algorithm::Hierarchical:
    case Algorithm::Torus:
    case Algorithm::ParameterServer:
      return collective == Collective::AllReduce;
  }
  return false;
}

void check_legal(Algorithm algorithm, Collective collective, const std::string& where) {
  if (is_legal(algorithm, collective)) return;
  std::string text =
      name_of(algorithm) + " is no algorithm for " + name_of(collective) + ", expected one of";
  for (const Algorithm other : all_algorithms())
    if (is_legal(other, collective)) text += " " + name_of(other);
  throw ConfigError(where, text);
}

std::uint64_t scratch_elements(Algorithm algorithm, std::uint64_t count) {
  return algorithm == Algorithm::RecursiveDoubling ? count : 0;
}

std::uint8_t streams_of(Algorithm algorithm) {
  return algorithm == Algorithm::DoubleTree ? 2 : 1;
}

std::shared_ptr<const schedule::StepSource> make_steps(Algorithm algorithm,
                                                       const Operation& operation) {
  LOCKSTEP_CHECK(is_legal(algorithm, operation.collective),
                 name_of(algorithm) + " cannot do " + name_of(operation.collective));
  switch (algorithm) {
    case Algorithm::Ring:
      return make_ring(operation);
    case Algorithm::RecursiveDoubling:
      return make_recursive_doubling(operation);
    case Algorithm::HalvingDoubling:
      return make_halving_doubling(operation);
    case Algorithm::BinomialTree:
      return make_binomial_tree(operation);
    case Algorithm::DoubleTree:
      return make_double_tree(operation);
    case Algorithm::Hierarchical:
      return make_hierarchical(operation);
    case Algorithm::Torus:
      return make_torus(operation);
    case Algorithm::Bcube:
      return make_bcube(operation);
    case Algorithm::ParameterServer:
      return make_parameter_server(operation);
  }
  return nullptr;
}

schedule::Slice part_of(const schedule::Slice& data, std::size_t part, std::size_t parts) {
  const std::uint64_t first = data.count * part / parts;
  return {data.buffer, data.first + first, data.count * (part + 1) / parts - first};
}

schedule::Schedule make_schedule(Algorithm algorithm, Operation operation, std::int32_t parts) {
  LOCKSTEP_CHECK(parts == 1 || operation.collective == Collective::AllReduce,
                 "only an all-reduce is done in parts");
  const schedule::Slice data{0, 0, operation.data.count};
  schedule::Schedule result;
  result.name = name_of(algorithm) + " " + name_of(operation.collective);
  result.ranks = operation.ranks;
  std::uint64_t scratch = 0;
  for (std::int32_t part = 0; part < parts; ++part) {
    operation.data = part_of(data, static_cast<std::size_t>(part), static_cast<std::size_t>(parts));
    const std::uint64_t need = scratch_elements(algorithm, operation.data.count);
    operation.scratch = {1, scratch, need};
    scratch += need;
    operation.stream = static_cast<std::uint8_t>(part * streams_of(algorithm));
    result.fragments.push_back({.name = name_of(operation.collective),
                                .bucket = 0,
                                .steps = make_steps(algorithm, operation),
                                .after = {}});
  }
  result.buffers = {{.name = "data", .count = data.count}, {.name = "scratch", .count = scratch}};
  return result;
}

schedule::Schedule all_reduce_schedule(Algorithm algorithm, std::int32_t ranks, std::uint64_t count,
                                       std::uint64_t segment_elements) {
  return make_schedule(algorithm, {.ranks = ranks,
                                   .data = {0, 0, count},
                                   .scratch = {},
                                   .segment_elements = segment_elements,
                                   .groups = {}});
}

schedule::Contract contract_of(const Operation& operation) {
  return {.buffer = operation.data.buffer,
          .slice = operation.data,
          .collective = operation.collective,
          .root = operation.root};
}

Time closed_form(Algorithm algorithm, const Operation& operation, const IdealNetwork& network) {
  switch (algorithm) {
    case Algorithm::Ring:
      return ring_closed_form(operation, network);
    case Algorithm::RecursiveDoubling:
      return recursive_doubling_closed_form(operation, network);
    case Algorithm::HalvingDoubling:
      return halving_doubling_closed_form(operation, network);
    case Algorithm::BinomialTree:
      return binomial_tree_closed_form(operation, network);
    case Algorithm::DoubleTree:
      return double_tree_closed_form(operation, network);
    case Algorithm::Hierarchical:
      return hierarchical_closed_form(operation, network);
    case Algorithm::Torus:
      return torus_closed_form(operation, network);
    case Algorithm::Bcube:
      return bcube_closed_form(operation, network);
    case Algorithm::ParameterServer:
      return parameter_server_closed_form(operation, network);
  }
  return {};
}

}  // namespace lockstep::collectives
