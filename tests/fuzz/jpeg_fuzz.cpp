// SPDX-License-Identifier: Apache-2.0
// For libFuzzer: any bytes as a JPEG file are refused with a reason, or are a picture of one of the
// sizes that were asked for, all of whose bytes are written.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "exec/data/jpeg.h"

using namespace lockstep;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static exec::JpegDecoder decoder;  // one for all, so that a bad file's traces would show
  for (const std::int32_t channels : {1, 3}) {
    exec::Picture picture;
    const auto problem = decoder.decode({data, size}, {24, 24}, channels, picture);
    if (problem ? problem->empty() : picture.pixels.empty()) std::abort();
  }
  return 0;
}
