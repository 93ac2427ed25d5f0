// SPDX-License-Identifier: Apache-2.0
// The file of a sweep: what is changed in job, topology and machine, and in which combinations; and
// the lines of its results.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/job_options.h"
#include "models/results/result.h"

namespace lockstep::cli {

/// {"job": {…}, and one of
///   "grid": {"job/ranks": [8, 16], "machine/message/latency": ["10 us", "20 us"]},
///   "list": [{"job/ranks": 8}, {"job/ranks": 16, "topology/links/0/bandwidth": "1 Gbit/s"}],
///   "random": {"configurations": 1000, "seed": 1, "draw": {"job/ranks": [8, 16],
///              "machine/message/latency": {"low": 1, "high": 50, "unit": "us"}}}}
/// and, if it is not to be the job's, "topology": {…}, as in a topology's file; and "conditions":
/// {…}, as in their file (models/conditions/README.md).
/// A field is a place in the file of the job, its topology, the machine, or the conditions. The
/// combinations are numbered: a grid's last field runs fastest, and a random one follows from seed
/// and number.
class Sweep {
 public:
  /// `machines` has the files' texts by kind; that of kind "" is what "machine/…" changes. Throws
  /// ConfigError, also for fields that no file can have.
  Sweep(const std::string& text, const std::string& where,
        std::map<std::string, std::string> machines);
  ~Sweep();
  Sweep(const Sweep&) = delete;
  Sweep& operator=(const Sweep&) = delete;

  std::uint64_t size() const;
  /// A configuration with everything in it; what the files named are kept in `networks`. Throws
  /// ConfigError when it does not fit together.
  struct Case {
    ResolvedJob resolved;
    Machines machines;
  };
  using Networks = std::map<std::string, network::Network>;
  Case at(std::uint64_t number, Networks& networks) const;
  /// What is changed in it: ("job/ranks", "8").
  std::vector<std::pair<std::string, std::string>> changes(std::uint64_t number) const;

  /// The first line of a file of results of the configurations number with number mod shards =
  /// shard. Other sweeps and other shards have other ones.
  std::string header(std::uint64_t shard, std::uint64_t shards) const;
  /// The line of one configuration, without its end: {"configuration", "set", "summary"}
  /// and, if the conditions have one, "failure"; or "error" instead of them.
  std::string line(std::uint64_t number, const results::Result& result) const;
  std::string line(std::uint64_t number, const std::string& error) const;

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

/// The results of all shards of a sweep as one that was not divided. Each file as its name and
/// text. Throws ConfigError when they do not belong together or one is missing or incomplete.
std::string merge_sweeps(const std::vector<std::pair<std::string, std::string>>& files);

/// Of a file of results, the configurations that are best by `field`, as a table of the `most`
/// first; or those to which none is better in both of two fields. A field is one of the summary
/// ("images_per_second", of which more is better, "iteration_seconds", of which less) or one that
/// was set ("job/ranks"; less is better). Throws ConfigError.
std::string best_of(const std::string& text, const std::string& where, const std::string& field,
                    std::size_t most);
std::string pareto_of(const std::string& text, const std::string& where, const std::string& first,
                      const std::string& second);

}  // namespace lockstep::cli
