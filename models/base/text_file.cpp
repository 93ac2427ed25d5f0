// SPDX-License-Identifier: Apache-2.0
#include "models/base/text_file.h"

#include <fstream>
#include <vector>

#include "models/base/errors.h"

namespace lockstep {

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw ConfigError(path, "cannot be opened for reading");
  std::string text;
  std::vector<char> piece(std::size_t{1} << 16);
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())), file.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
    if (text.size() > std::size_t{1} << 30) throw ConfigError(path, "is larger than 1 GiB");
  }
  // A folder can be opened, but not read.
  if (file.bad()) throw ConfigError(path, "cannot be read");
  return text;
}

}  // namespace lockstep
