// SPDX-License-Identifier: Apache-2.0
// Rules of every shape in small sizes, for tests that hold for all of them.
#pragma once

#include <vector>

#include "models/topology/shapes.h"

namespace lockstep::topology {

/// Cables of 1 GB/s and 1 us, all alike.
inline Rule rule_of(Shape shape, std::vector<std::int32_t> sizes) {
  Rule rule{.shape = shape, .sizes = std::move(sizes), .host = {}, .cables = {}};
  Wire wire;
  wire.bytes_per_second = 1e9;
  wire.latency = Time{1'000'000};
  if (shape != Shape::OneHost)
    rule.cables.assign(1 + shape_facts(shape).tiers.size(), {wire, wire});
  return rule;
}

/// Every shape in all sizes that make at most `most` hosts, none of its sizes above 9.
inline std::vector<Rule> small_rules(double most) {
  std::vector<Rule> rules;
  for (const ShapeFacts& facts : shapes()) {
    std::vector<std::int32_t> sizes;
    for (const Parameter& parameter : facts.parameters)
      sizes.push_back(parameter.low);
    for (bool more = true; more;) {
      const Rule rule = rule_of(facts.shape, sizes);
      if (fault_of(rule).empty() && counts(rule).hosts <= most) rules.push_back(rule);
      more = false;
      for (std::size_t i = 0; i < sizes.size() && !more; ++i) {
        more = ++sizes[i] <= 9;
        if (!more) sizes[i] = facts.parameters[i].low;
      }
    }
  }
  return rules;
}

/// "torus-2d 3 4".
inline std::string name_of(const Rule& rule) {
  std::string name = shape_facts(rule.shape).name;
  for (const std::int32_t size : rule.sizes)
    name += " " + std::to_string(size);
  return name;
}

}  // namespace lockstep::topology
