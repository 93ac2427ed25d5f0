// SPDX-License-Identifier: Apache-2.0
// Codecs as the command line names them.
#pragma once

#include <string>
#include <vector>

#include "models/compression/codec.h"

namespace lockstep::cli {

/// All that encode, with their usual parameters.
std::vector<compression::Codec> usual_codecs();
/// Those named, each maybe several with commas between them. Throws ConfigError.
std::vector<compression::Codec> codec_list(const std::vector<std::string>& names,
                                           const std::string& where);

}  // namespace lockstep::cli
