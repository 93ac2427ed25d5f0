// SPDX-License-Identifier: Apache-2.0
// Which layer's gradients are encoded how.
#pragma once

#include <string>
#include <vector>

#include "models/compression/codec.h"

namespace lockstep::compression {

/// "dense*=powersgd:2": for layers whose name or kind matches, where * stands for anything.
struct Rule {
  std::string pattern;
  Codec codec;
  friend bool operator==(const Rule&, const Rule&) = default;
};

/// The first that matches holds; layers that none matches are not encoded.
using Rules = std::vector<Rule>;

/// "none", "fp16", "dense=powersgd:2,conv1=none,fp16": rules with commas between them, the last
/// maybe without a pattern, for all other layers.
std::string name_of(const Rules& rules);
/// Reads such a text. Throws ConfigError.
Rules parse_rules(const std::string& text, const std::string& where);

Codec codec_for(const Rules& rules, const std::string& layer, const std::string& kind);

}  // namespace lockstep::compression
