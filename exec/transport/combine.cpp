// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/combine.h"

#include <cstring>

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

void take_greater(const float* __restrict from, float* __restrict into, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    into[i] = from[i] > into[i] ? from[i] : into[i];
}

}  // namespace

void combine(Operator combining, ElementType type, std::span<const std::byte> from,
             std::span<std::byte> into) {
  LOCKSTEP_CHECK(from.size() == into.size() && from.size() % bytes_of(type) == 0,
                 std::to_string(from.size()) + " bytes into " + std::to_string(into.size()));
  if (from.empty()) return;
  switch (type) {
    case ElementType::Float32: {
      const auto* source = reinterpret_cast<const float*>(from.data());
      auto* target = reinterpret_cast<float*>(into.data());
      const std::size_t count = from.size() / sizeof(float);
      switch (combining) {
        case Operator::Replace:
          std::memcpy(target, source, from.size());
          return;
        case Operator::Sum:
          add(source, target, count);
          return;
        case Operator::Max:
          take_greater(source, target, count);
          return;
      }
    }
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
