// SPDX-License-Identifier: Apache-2.0
// Small numbers of a few bits, packed: bit b of element i is bit i mod 8 of byte i / 8 of plane b.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lockstep::exec {

/// Bytes of a plane.
constexpr std::size_t plane_bytes(std::size_t count) {
  return (count + 7) / 8;
}

/// One plane: which of `values` are at least 0 (−0 is, not a number is not). Unused bits are 0.
void pack_signs(const float* values, std::size_t count, std::uint8_t* plane);
/// Element i becomes `one` where its bit is set, otherwise `zero`; or that is added to it.
void unpack_signs(const std::uint8_t* plane, std::size_t count, float one, float zero, float* into,
                  bool adds);

/// `planes` planes one after the other of numbers below 2^planes. Readable and writable must be
/// count numbers, rounded up to eight.
void pack(const std::uint8_t* numbers, std::size_t count, int planes, std::uint8_t* into);
void unpack(const std::uint8_t* from, std::size_t count, int planes, std::uint8_t* numbers);

/// Of `voters` planes of `bytes` bytes, one after the other: which bits are set in at least half.
void count_votes(const std::uint8_t* planes, std::size_t voters, std::size_t bytes,
                 std::uint8_t* won);

}  // namespace lockstep::exec
