// SPDX-License-Identifier: Apache-2.0
#include "models/topology/topology.h"

#include <array>

#include "models/base/errors.h"

namespace lockstep::topology {

const std::string& Topology::node_name(std::int32_t node) const {
  const auto index = static_cast<std::size_t>(node);
  return index < hosts.size() ? hosts[index].name : switches.at(index - hosts.size());
}

std::string Topology::link_name(LinkId link) const {
  const Link& ends = links[static_cast<std::size_t>(link)];
  return node_name(ends.from) + "->" + node_name(ends.to);
}

std::string name_of(Routing routing) {
  switch (routing) {
    case Routing::First:
      return "first";
    case Routing::Hash:
      return "hash";
    case Routing::Split:
      return "split";
  }
  return "";
}

Routing parse_routing(const std::string& text, const std::string& where) {
  static const std::array<std::string, 3> names{"first", "hash", "split"};
  for (const Routing routing : {Routing::First, Routing::Hash, Routing::Split})
    if (text == name_of(routing)) return routing;
  const std::string meant = nearest(text, names.data(), names.data() + names.size());
  throw ConfigError(where, "must be first, hash or split, is \"" + text + "\"" +
                               (meant.empty() ? "" : "; did you mean \"" + meant + "\"?"));
}

}  // namespace lockstep::topology
