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

/// Several registers that are worked on side by side: long enough a run for the memory.
typedef float WideVector __attribute__((vector_size(4 * kLanes * sizeof(float))));

/// `value` where `gate` is positive, else zero.
inline float where_positive(float gate, float value) {
  return gate > 0 ? value : 0;
}
inline Vector where_positive(Vector gate, Vector value) {
  return gate > 0 ? value : Vector{};
}
inline WideVector where_positive(WideVector gate, WideVector value) {
  Vector gates[4], values[4];  // GCC would compare a wide vector element by element
  std::memcpy(gates, &gate, sizeof gates);
  std::memcpy(values, &value, sizeof values);
  for (std::size_t i = 0; i < 4; ++i)
    values[i] = where_positive(gates[i], values[i]);
  std::memcpy(&value, values, sizeof value);
  return value;
}

/// Calls block(c, …) for runs of 0 … count − 1 that fill a WideVector, then a Vector, then one by
/// one; the second argument is of the type to take them as.
template <typename Block>
void for_channels(std::size_t count, const Block& block) {
  std::size_t c = 0;
  for (; c + 4 * kLanes <= count; c += 4 * kLanes)
    block(c, WideVector{});
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
