// SPDX-License-Identifier: Apache-2.0
// The parts of lockstep topology, a file each.
#pragma once

#include "cli/command_line.h"

namespace lockstep::cli {

int run_topology_draw(const Arguments& arguments);
int run_topology_generate(const Arguments& arguments);

}  // namespace lockstep::cli
