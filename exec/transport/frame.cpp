// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/frame.h"

#include <bit>
#include <cstring>

namespace lockstep::exec {

namespace {

constexpr std::uint32_t kMagic = 0x3154534C;  // "LST1"

static_assert(std::endian::native == std::endian::little,
              "payloads travel as they lie in memory, which must be little endian");

template <typename Integer>
void store(FrameBytes& bytes, std::size_t at, Integer value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

template <typename Integer>
Integer load(std::span<const std::byte, kFrameBytes> bytes, std::size_t at) {
  Integer value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

}  // namespace

FrameBytes encode(const Frame& frame) {
  FrameBytes bytes;
  store(bytes, 0, kMagic);
  store(bytes, 4, frame.tag.fragment);
  store(bytes, 8, frame.payload_bytes);
  store(bytes, 16, frame.started_ns);
  store(bytes, 24, frame.tag.step);
  store(bytes, 28, frame.tag.iteration);
  return bytes;
}

std::optional<Frame> decode(std::span<const std::byte, kFrameBytes> bytes) {
  if (load<std::uint32_t>(bytes, 0) != kMagic) return std::nullopt;
  Frame frame;
  frame.tag.fragment = load<std::uint32_t>(bytes, 4);
  frame.payload_bytes = load<std::uint64_t>(bytes, 8);
  frame.started_ns = load<std::int64_t>(bytes, 16);
  frame.tag.step = load<std::uint32_t>(bytes, 24);
  frame.tag.iteration = load<std::int32_t>(bytes, 28);
  return frame;
}

}  // namespace lockstep::exec
