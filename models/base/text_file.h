// SPDX-License-Identifier: Apache-2.0
// Files read as a whole.
#pragma once

#include <string>

namespace lockstep {

/// The whole file; at most 1 GiB. Throws ConfigError when it cannot be read.
std::string read_text(const std::string& path);

}  // namespace lockstep
