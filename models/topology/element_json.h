// SPDX-License-Identifier: Apache-2.0
// What the readers and writers of topologies share: the keys of a host and of a cable, and faults
// that are collected so that all of a file can be told at once. Included by *_json.cpp only.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/base/errors.h"
#include "models/base/object_json.h"
#include "models/topology/topology.h"

namespace lockstep::topology {

/// What is wrong with a file. A reader attempts each of its parts, so that a fault in one of them
/// does not hide those of the others.
class Faults {
 public:
  /// Nobody reads on after so many.
  static constexpr std::size_t kMany = 100;

  bool is_full() const { return texts_.size() >= kMany; }
  bool empty() const { return texts_.empty(); }
  void add(const std::string& where, const std::string& what) {
    texts_.emplace_back(ConfigError(where, what).what());
  }
  /// Runs `read` and keeps the fault that it throws. Returns whether there was none.
  template <typename Read>
  bool attempt(const Read& read) {
    try {
      read();
      return true;
    } catch (const ConfigError& fault) {
      texts_.emplace_back(fault.what());
      return false;
    }
  }
  std::vector<std::string> take() { return std::move(texts_); }

 private:
  std::vector<std::string> texts_;
};

/// A reader of the object at `pointer`; none when it is no object. Its unknown keys are faults.
std::optional<ObjectReader> open(const Json& json, const std::string& file,
                                 const std::string& pointer, const ObjectReader::Keys& keys,
                                 Faults& faults);

inline constexpr double kMaxCores = 1e5;

const ObjectReader::Keys& host_keys();   // its name excepted
const ObjectReader::Keys& wire_keys();   // "bandwidth", …
const ObjectReader::Keys& cable_keys();  // these and "reverse"

/// Overwrite what the object says of a host, its name excepted; of a cable, its ends excepted.
void read_host(const ObjectReader& reader, Host& host, Faults& faults);
void read_cable(const ObjectReader& reader, Cable& cable, Faults& faults);
/// Names neither empty nor with "->" or control characters, which link names and drawings need.
std::string checked_name(const Json& json, const std::string& where);

/// What read_host and read_cable read, leaving out what is as in `usual`.
void write_host(const Host& host, const Host& usual, Json& json);
void write_wire(const Wire& wire, const Wire& usual, Json& json);
/// One whose back is not as its there has "reverse".
void write_cable(const Cable& cable, const Cable& usual, Json& json);

/// "; did you mean \"word\"?", or "". Of very many candidates, none.
std::string suggestion(const std::string& word, const std::vector<std::string>& candidates);

/// rule_json.cpp: the value of the key "generate". None when it has faults.
std::optional<Rule> read_rule(const Json& json, const std::string& file, const std::string& pointer,
                              Faults& faults);
Json json_of(const Rule& rule);

}  // namespace lockstep::topology
