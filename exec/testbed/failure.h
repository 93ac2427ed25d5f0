// SPDX-License-Identifier: Apache-2.0
// What this machine would not do, for people.
#pragma once

#include <string>

namespace lockstep::exec {

/// Throws ConfigError "testbed: cannot `what`: " and the reason that is in errno; a lack of
/// privilege is called by its name.
[[noreturn]] void throw_cannot(const std::string& what);

}  // namespace lockstep::exec
