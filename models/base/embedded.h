// SPDX-License-Identifier: Apache-2.0
// Data files that are compiled into the program (CMake's lockstep_embed writes the definitions).
#pragma once

#include <string>
#include <vector>

namespace lockstep {

struct EmbeddedFile {
  std::string name;  // with its ending: "fashion-cnn.json"
  std::string content;
};

/// models/network/zoo: the CNNs that have a name.
const std::vector<EmbeddedFile>& embedded_networks();
/// topologies: the topologies that have a name.
const std::vector<EmbeddedFile>& embedded_topologies();

}  // namespace lockstep
