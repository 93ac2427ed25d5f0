// SPDX-License-Identifier: Apache-2.0
// Numbers of 16 bits: to them and back, and their sums. Rounded to the nearest, ties to even, with
// or without instructions for it; what is too large becomes infinite, what is no number stays none.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lockstep::exec {

void to_float16(const float* from, std::uint16_t* into, std::size_t count);
void from_float16(const std::uint16_t* from, float* into, std::size_t count);
/// into += from, each sum rounded once.
void add_float16(const std::uint16_t* from, std::uint16_t* into, std::size_t count);

void to_bfloat16(const float* from, std::uint16_t* into, std::size_t count);
void from_bfloat16(const std::uint16_t* from, float* into, std::size_t count);
void add_bfloat16(const std::uint16_t* from, std::uint16_t* into, std::size_t count);

}  // namespace lockstep::exec
