// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/algorithm.h"

#include "models/base/errors.h"
#include "models/collectives/recursive_doubling.h"
#include "models/collectives/ring.h"

namespace lockstep::collectives {

const std::vector<Algorithm>& all_algorithms() {
  static const std::vector<Algorithm> all{Algorithm::Ring, Algorithm::RecursiveDoubling};
  return all;
}

std::string name_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::Ring:
      return "ring";
    case Algorithm::RecursiveDoubling:
      return "recursive-doubling";
  }
  return "";
}

Algorithm parse_algorithm(const std::string& name, const std::string& where) {
  std::vector<std::string> names;
  for (const Algorithm algorithm : all_algorithms()) {
    names.push_back(name_of(algorithm));
    if (names.back() == name) return algorithm;
  }
  std::string text = "unknown algorithm \"" + name + "\", expected one of";
  for (const std::string& known : names)
    text += " " + known;
  const std::string guess = nearest(name, names.data(), names.data() + names.size());
  throw ConfigError(where, text + (guess.empty() ? "" : "; did you mean \"" + guess + "\"?"));
}

std::uint64_t scratch_elements(Algorithm algorithm, std::uint64_t count) {
  switch (algorithm) {
    case Algorithm::Ring:
      return 0;
    case Algorithm::RecursiveDoubling:
      return count;
  }
  return 0;
}

std::shared_ptr<const schedule::StepSource> make_all_reduce(Algorithm algorithm,
                                                            const AllReduce& all_reduce) {
  switch (algorithm) {
    case Algorithm::Ring:
      return make_ring(all_reduce);
    case Algorithm::RecursiveDoubling:
      return make_recursive_doubling(all_reduce);
  }
  return nullptr;
}

schedule::Schedule all_reduce_schedule(Algorithm algorithm, std::int32_t ranks, std::uint64_t count,
                                       std::uint64_t segment_elements) {
  const std::uint64_t scratch = scratch_elements(algorithm, count);
  const AllReduce all_reduce{.ranks = ranks,
                             .data = {0, 0, count},
                             .scratch = {1, 0, scratch},
                             .segment_elements = segment_elements};
  schedule::Schedule result;
  result.name = name_of(algorithm) + " all-reduce";
  result.ranks = ranks;
  result.buffers = {{.name = "data", .count = count}, {.name = "scratch", .count = scratch}};
  result.fragments = {{.name = "all-reduce",
                       .bucket = 0,
                       .steps = make_all_reduce(algorithm, all_reduce),
                       .after = {}}};
  return result;
}

Time closed_form(Algorithm algorithm, std::int32_t ranks, std::uint64_t count,
                 const IdealNetwork& network) {
  switch (algorithm) {
    case Algorithm::Ring:
      return ring_closed_form(ranks, count, network);
    case Algorithm::RecursiveDoubling:
      return recursive_doubling_closed_form(ranks, count, network);
  }
  return {};
}

}  // namespace lockstep::collectives
