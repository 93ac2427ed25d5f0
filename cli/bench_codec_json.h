// SPDX-License-Identifier: Apache-2.0
// The figures of lockstep bench codec, and their JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "exec/calibration/codec_timing.h"
#include "models/results/result.h"

namespace lockstep::cli {

struct CodecRow {
  std::string codec;
  std::uint64_t elements = 0;    // that it is for
  std::uint64_t code_bytes = 0;  // of one rank
  exec::CodecTimes times;
};

struct CodecBench {
  std::string network;
  std::int64_t gradients = 0;
  std::int32_t iterations = 0;
  std::int32_t batch = 0;
  std::vector<CodecRow> rows;
};

std::string to_json(const CodecBench& bench, const results::Provenance& provenance);

}  // namespace lockstep::cli
