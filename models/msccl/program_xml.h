// SPDX-License-Identifier: Apache-2.0
// MSCCL's XML files, read and written.
#pragma once

#include <string>

#include "models/msccl/program.h"

namespace lockstep::msccl {

/// Reads what MSCCL's readers accept (src/graph/topo.cc of microsoft/msccl, msccl_parser.cc of
/// Azure/msccl-executor-nccl), of the collectives that Lockstep knows, and checks all that they
/// check and that check() does. Throws ConfigError with the line: "ring.xml:12: …".
Program parse_program(const std::string& text, const std::string& where);
Program load_program(const std::string& path);

/// The text of such a file, which parse_program() reads back as the same program and MSCCL's
/// readers accept. (A reduce-scatter is spelled as microsoft/msccl does; Azure's reader wants
/// another name.)
std::string to_xml(const Program& program);

}  // namespace lockstep::msccl
