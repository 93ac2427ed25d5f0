// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/combine.h"

#include <cstring>

#include "exec/codecs/half.h"
#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

using schedule::ElementType;
using schedule::Operator;

// Plain loops over distinct arrays: the compiler makes vector instructions of them.
void add(const float* __restrict from, float* __restrict into, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    into[i] = into[i] + from[i];
}

/// Sums of few small numbers: they must not overflow.
void add(const std::int8_t* __restrict from, std::int8_t* __restrict into, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    into[i] = static_cast<std::int8_t>(from[i] + into[i]);
}

void take_greater(const float* __restrict from, float* __restrict into, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    into[i] = from[i] > into[i] ? from[i] : into[i];
}

template <typename Element>
const Element* elements(std::span<const std::byte> bytes) {
  return reinterpret_cast<const Element*>(bytes.data());
}
template <typename Element>
Element* elements(std::span<std::byte> bytes) {
  return reinterpret_cast<Element*>(bytes.data());
}

}  // namespace

void combine(Operator combining, ElementType type, std::span<const std::byte> from,
             std::span<std::byte> into) {
  LOCKSTEP_CHECK(from.size() == into.size() && from.size() % bytes_of(type) == 0,
                 std::to_string(from.size()) + " bytes into " + std::to_string(into.size()));
  if (from.empty()) return;
  if (combining == Operator::Replace) {
    std::memcpy(into.data(), from.data(), from.size());
    return;
  }
  const bool adds = combining == Operator::Sum;
  LOCKSTEP_CHECK(adds || type == ElementType::Float32, "there is no maximum of " + name_of(type));
  const std::size_t count = from.size() / bytes_of(type);
  switch (type) {
    case ElementType::Float32:
      return adds ? add(elements<float>(from), elements<float>(into), count)
                  : take_greater(elements<float>(from), elements<float>(into), count);
    case ElementType::Float16:
      return add_float16(elements<std::uint16_t>(from), elements<std::uint16_t>(into), count);
    case ElementType::BFloat16:
      return add_bfloat16(elements<std::uint16_t>(from), elements<std::uint16_t>(into), count);
    case ElementType::Int8:
      return add(elements<std::int8_t>(from), elements<std::int8_t>(into), count);
    case ElementType::Byte:
      LOCKSTEP_CHECK(false, "bytes are codes, which are not added");
  }
}

std::span<std::byte> ArrivalCombiner::space() {
  if (scratch_.empty()) scratch_.resize(kScratchBytes);
  return std::span(scratch_).subspan(kept_);
}

std::size_t ArrivalCombiner::arrived(std::size_t bytes, Operator combining, ElementType type,
                                     std::span<std::byte> into) {
  const std::size_t have = kept_ + bytes;
  const std::size_t whole = have - have % bytes_of(type);
  combine(combining, type, std::span(scratch_).first(whole), into.first(whole));
  kept_ = have - whole;
  std::memmove(scratch_.data(), scratch_.data() + whole, kept_);
  return whole;
}

}  // namespace lockstep::exec
