// SPDX-License-Identifier: Apache-2.0
// Text of drawings.
#pragma once

#include <string>

namespace lockstep {

/// As std::printf, up to 511 bytes.
std::string formatted(const char* format, ...) __attribute__((format(printf, 1, 2)));

/// As the content of an element or an attribute.
std::string escaped(const std::string& text);

}  // namespace lockstep
