// SPDX-License-Identifier: Apache-2.0
// The header in front of every message's payload.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace lockstep::exec {

/// Which step a message belongs to: for checks and for people.
struct Tag {
  std::uint32_t fragment = 0;
  std::uint32_t step = 0;
  std::int32_t iteration = 0;
};

/// 32 bytes on the wire, little endian: magic (4), fragment (4), payload bytes (8), start (8),
/// step (4), iteration (4).
struct Frame {
  Tag tag;  // the sender's
  std::uint64_t payload_bytes = 0;
  std::int64_t started_ns = 0;  // when the sender started its Send, on rank 0's clock
};

inline constexpr std::size_t kFrameBytes = 32;
using FrameBytes = std::array<std::byte, kFrameBytes>;

FrameBytes encode(const Frame& frame);
/// Empty when the magic is wrong. The other fields are the receiver's to check against what is due.
std::optional<Frame> decode(std::span<const std::byte, kFrameBytes> bytes);

}  // namespace lockstep::exec
