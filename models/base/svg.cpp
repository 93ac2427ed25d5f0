// SPDX-License-Identifier: Apache-2.0
#include "models/base/svg.h"

#include <cstdarg>
#include <cstdio>

namespace lockstep {

std::string formatted(const char* format, ...) {
  char text[512];
  va_list values;
  va_start(values, format);
  std::vsnprintf(text, sizeof text, format, values);
  va_end(values);
  return text;
}

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text)
    switch (c) {
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '&':
        safe += "&amp;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  return safe;
}

}  // namespace lockstep
