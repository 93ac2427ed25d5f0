// SPDX-License-Identifier: Apache-2.0
#include "exec/codecs/bits.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace lockstep::exec {

namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101;  // a one in every byte

std::uint64_t eight(const std::uint8_t* from) {
  std::uint64_t bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

/// The lowest bits of eight bytes, side by side in one.
std::uint8_t gathered(std::uint64_t bytes) {
  // Byte i is multiplied by 2^(7 (8 − i)), which brings its bit to bit 56 + i; no sums carry.
  return static_cast<std::uint8_t>((bytes & kOnes) * 0x0102040810204080 >> 56);
}

/// The bits of a byte, in the lowest bit of a byte each.
std::uint64_t scattered(std::uint8_t bits) {
  const std::uint64_t each = bits * kOnes & 0x8040201008040201;  // bit i is left in byte i
  return (each + 0x7F7F7F7F7F7F7F7F) >> 7 & kOnes;               // what is not zero reaches 128
}

}  // namespace

void pack_signs(const float* values, std::size_t count, std::uint8_t* plane) {
  std::size_t i = 0;
#if defined(__AVX512F__)
  for (; i + 16 <= count; i += 16) {
    const std::uint16_t bits =
        _mm512_cmp_ps_mask(_mm512_loadu_ps(values + i), _mm512_setzero_ps(), _CMP_GE_OQ);
    std::memcpy(plane + i / 8, &bits, sizeof bits);
  }
#endif
  for (; i < count; i += 8) {
    std::uint8_t bits = 0;
    for (std::size_t j = 0; j < std::min<std::size_t>(8, count - i); ++j)
      bits = static_cast<std::uint8_t>(bits | (values[i + j] >= 0 ? 1U << j : 0U));
    plane[i / 8] = bits;
  }
}

void unpack_signs(const std::uint8_t* plane, std::size_t count, float one, float zero, float* into,
                  bool adds) {
  std::size_t i = 0;
#if defined(__AVX512F__)
  const __m512 ones = _mm512_set1_ps(one);
  const __m512 zeros = _mm512_set1_ps(zero);
  for (; i + 16 <= count; i += 16) {
    std::uint16_t bits;
    std::memcpy(&bits, plane + i / 8, sizeof bits);
    __m512 values = _mm512_mask_blend_ps(bits, zeros, ones);
    if (adds) values = _mm512_add_ps(_mm512_loadu_ps(into + i), values);
    _mm512_storeu_ps(into + i, values);
  }
#endif
  for (; i < count; ++i) {
    const float value = (plane[i / 8] >> (i % 8) & 1) != 0 ? one : zero;
    into[i] = adds ? into[i] + value : value;
  }
}

void pack(const std::uint8_t* numbers, std::size_t count, int planes, std::uint8_t* into) {
  const std::size_t bytes = plane_bytes(count);
  for (int plane = 0; plane < planes; ++plane, into += bytes)
    for (std::size_t i = 0; i < bytes; ++i)
      into[i] = gathered(eight(numbers + 8 * i) >> plane);
}

void unpack(const std::uint8_t* from, std::size_t count, int planes, std::uint8_t* numbers) {
  const std::size_t bytes = plane_bytes(count);
  for (std::size_t i = 0; i < bytes; ++i) {
    std::uint64_t sum = 0;
    for (int plane = 0; plane < planes; ++plane)
      sum |= scattered(from[static_cast<std::size_t>(plane) * bytes + i]) << plane;
    std::memcpy(numbers + 8 * i, &sum, sizeof sum);
  }
}

// Eight elements at a time are counted side by side, as binary numbers whose digits are in one word
// each: to add a voter is to add a one with its carry. What is as large as half of the voters is
// found from the highest digit down.
void count_votes(const std::uint8_t* planes, std::size_t voters, std::size_t bytes,
                 std::uint8_t* won) {
  const std::size_t half = (voters + 1) / 2;
  const auto digits = static_cast<std::size_t>(std::bit_width(voters));
  for (std::size_t at = 0; at < bytes; at += 8) {
    const std::size_t size = std::min<std::size_t>(8, bytes - at);
    std::array<std::uint64_t, 32> count{};
    for (std::size_t voter = 0; voter < voters; ++voter) {
      std::uint64_t carry = 0;
      std::memcpy(&carry, planes + voter * bytes + at, size);
      for (std::size_t d = 0; d < digits; ++d) {
        const std::uint64_t sum = count[d] ^ carry;
        carry &= count[d];
        count[d] = sum;
      }
    }
    std::uint64_t greater = 0;
    std::uint64_t equal = ~std::uint64_t{0};
    for (std::size_t d = digits; d-- > 0;) {
      if ((half >> d & 1) != 0) {
        equal &= count[d];
      } else {
        greater |= equal & count[d];
        equal &= ~count[d];
      }
    }
    const std::uint64_t result = greater | equal;
    std::memcpy(won + at, &result, size);
  }
}

}  // namespace lockstep::exec
