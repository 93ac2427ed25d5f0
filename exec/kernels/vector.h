// SPDX-License-Identifier: Apache-2.0
// One vector register of floats, for whatever instruction set this folder is compiled for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace lockstep::exec {

#if defined(__AVX512F__)
inline constexpr std::size_t kLanes = 16;  // floats of a vector register
#elif defined(__AVX__)
inline constexpr std::size_t kLanes = 8;
#else
inline constexpr std::size_t kLanes = 4;
#endif

// GCC's vector types: arithmetic, comparison and selection (? :) are element by element.
typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));
typedef std::int32_t IntVector __attribute__((vector_size(kLanes * sizeof(std::int32_t))));
typedef std::uint8_t ByteVector __attribute__((vector_size(kLanes)));

inline Vector load(const float* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}

inline void store(float* to, Vector vector) {
  std::memcpy(to, &vector, sizeof vector);
}

inline IntVector load_bytes(const std::uint8_t* from) {
  ByteVector bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return __builtin_convertvector(bytes, IntVector);
}

inline void store_bytes(std::uint8_t* to, IntVector vector) {
  const ByteVector bytes = __builtin_convertvector(vector, ByteVector);
  std::memcpy(to, &bytes, sizeof bytes);
}

/// The same for one float, so that a loop over channels can be written once for both.
template <typename Value>
Value load_as(const float* from) {
  Value value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename Value>
void store_as(float* to, Value value) {
  std::memcpy(to, &value, sizeof value);
}

/// Calls block(c, Vector{}) for whole vectors of 0 … count − 1, then block(c, float{}) one by one.
template <typename Block>
void for_channels(std::size_t count, const Block& block) {
  std::size_t c = 0;
  for (; c + kLanes <= count; c += kLanes)
    block(c, Vector{});
  for (; c < count; ++c)
    block(c, float{});
}

/// `count` rounded up to whole vectors.
constexpr std::size_t whole_vectors(std::size_t count) {
  return (count + kLanes - 1) / kLanes * kLanes;
}

}  // namespace lockstep::exec
