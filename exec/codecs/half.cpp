// SPDX-License-Identifier: Apache-2.0
#include "exec/codecs/half.h"

#include <bit>

#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace lockstep::exec {

namespace {

constexpr std::uint32_t kInfinity = 0x7F800000;

// Without instructions. A half has 5 bits of exponent (from −14) and 10 of fraction. To add a
// number whose last place is the one that is to be kept lets the processor round.
std::uint16_t float16_of(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000;
  const std::uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > kInfinity)
    return static_cast<std::uint16_t>(sign | 0x7E00 | (magnitude >> 13 & 0x3FF));
  constexpr std::uint32_t kOverflow = 0x477FF000;  // 65520, which rounds to 65536
  if (magnitude >= kOverflow) return static_cast<std::uint16_t>(sign | 0x7C00);
  constexpr std::uint32_t kNormal = 0x38800000;  // 2⁻¹⁴
  if (magnitude < kNormal) {
    constexpr float kHalf = 0.5F;  // its last place is 2⁻²⁴
    const float rounded = std::bit_cast<float>(magnitude) + kHalf;
    return static_cast<std::uint16_t>(
        sign | (std::bit_cast<std::uint32_t>(rounded) - std::bit_cast<std::uint32_t>(kHalf)));
  }
  const std::uint32_t to_even = 0xFFF + (magnitude >> 13 & 1);
  return static_cast<std::uint16_t>(sign | ((magnitude - (112U << 23) + to_even) >> 13));
}

float of_float16(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16;
  const std::uint32_t magnitude = half & 0x7FFFU;
  if (magnitude >= 0x7C00) {  // infinite, or no number, which becomes a quiet one
    const std::uint32_t fraction = magnitude & 0x3FF;
    return std::bit_cast<float>(sign | kInfinity | fraction << 13 |
                                (fraction != 0 ? 0x400000U : 0U));
  }
  if (magnitude < 0x400) {  // in units of 2⁻²⁴
    const float value = static_cast<float>(magnitude) * 0x1p-24F;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(value));
  }
  return std::bit_cast<float>(sign | ((magnitude << 13) + (112U << 23)));
}

std::uint16_t bfloat16_of(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
  const std::uint32_t quiet = bits >> 16 | 0x40;
  return static_cast<std::uint16_t>((bits & 0x7FFFFFFF) > kInfinity ? quiet : rounded);
}

float of_bfloat16(std::uint16_t half) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16);
}

}  // namespace

// With them, by eight: memory is slower than that.
#if defined(__F16C__)
namespace {

constexpr std::size_t kLanes = 8;
__m256 widened(const std::uint16_t* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
void narrow(__m256 values, std::uint16_t* into) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(into),
                   _mm256_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
__m256 loaded(const float* from) {
  return _mm256_loadu_ps(from);
}
void stored(float* into, __m256 values) {
  _mm256_storeu_ps(into, values);
}
__m256 sum(__m256 a, __m256 b) {
  return _mm256_add_ps(a, b);
}

}  // namespace
#endif

void to_float16(const float* from, std::uint16_t* into, std::size_t count) {
  std::size_t i = 0;
#if defined(__F16C__)
  for (; i + kLanes <= count; i += kLanes)
    narrow(loaded(from + i), into + i);
#endif
  for (; i < count; ++i)
    into[i] = float16_of(from[i]);
}

void from_float16(const std::uint16_t* from, float* into, std::size_t count) {
  std::size_t i = 0;
#if defined(__F16C__)
  for (; i + kLanes <= count; i += kLanes)
    stored(into + i, widened(from + i));
#endif
  for (; i < count; ++i)
    into[i] = of_float16(from[i]);
}

// A sum of two halves in single precision is rounded twice; as 24 bits are more than 2 · 11 + 1,
// that is the same as once (Figueroa 1995).
void add_float16(const std::uint16_t* from, std::uint16_t* into, std::size_t count) {
  std::size_t i = 0;
#if defined(__F16C__)
  for (; i + kLanes <= count; i += kLanes)
    narrow(sum(widened(from + i), widened(into + i)), into + i);
#endif
  for (; i < count; ++i)
    into[i] = float16_of(of_float16(from[i]) + of_float16(into[i]));
}

// The compiler makes vector instructions of these.
void to_bfloat16(const float* __restrict from, std::uint16_t* __restrict into, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    into[i] = bfloat16_of(from[i]);
}

void from_bfloat16(const std::uint16_t* __restrict from, float* __restrict into,
                   std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    into[i] = of_bfloat16(from[i]);
}

void add_bfloat16(const std::uint16_t* __restrict from, std::uint16_t* __restrict into,
                  std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    into[i] = bfloat16_of(of_bfloat16(from[i]) + of_bfloat16(into[i]));
}

}  // namespace lockstep::exec
