// SPDX-License-Identifier: Apache-2.0
#include "cli/codec_list.h"

#include <sstream>

#include "models/base/errors.h"

namespace lockstep::cli {

std::vector<compression::Codec> usual_codecs() {
  std::vector<compression::Codec> codecs;
  for (const compression::Method method : compression::all_methods())
    if (method != compression::Method::None)
      codecs.push_back(compression::parse_codec(name_of(method), "codec"));
  return codecs;
}

std::vector<compression::Codec> codec_list(const std::vector<std::string>& names,
                                           const std::string& where) {
  std::vector<compression::Codec> codecs;
  for (const std::string& list : names) {
    std::istringstream words(list);
    for (std::string word; std::getline(words, word, ',');) {
      codecs.push_back(compression::parse_codec(word, where));
      if (codecs.back().method == compression::Method::None)
        throw ConfigError(where, "none encodes nothing; expected a codec");
    }
  }
  return codecs;
}

}  // namespace lockstep::cli
