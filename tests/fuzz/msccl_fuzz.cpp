// SPDX-License-Identifier: Apache-2.0
// For libFuzzer: any bytes as an MSCCL file are refused with a ConfigError, or are a program that
// can be made a schedule, proven or not, and written again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "models/base/errors.h"
#include "models/msccl/program_xml.h"
#include "models/msccl/steps.h"

using namespace lockstep;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const msccl::Program program = msccl::parse_program(text, "fuzz.xml");
    constexpr std::uint64_t kCount = 37;
    schedule::verify(make_schedule(program, kCount), contract_of(program, kCount));
    const std::string written = to_xml(program);
    if (to_xml(msccl::parse_program(written, "written.xml")) != written) std::abort();
  } catch (const ConfigError&) {
  }
  return 0;
}
