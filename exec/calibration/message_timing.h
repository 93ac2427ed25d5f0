// SPDX-License-Identifier: Apache-2.0
// Measures messages between two processes, through the same executor that training uses: what a
// message takes, and what the processors of both sides spend on it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "exec/launch/session.h"

namespace lockstep::exec {

/// Messages of one size that go forth and back, one at a time.
struct PingPong {
  std::uint64_t bytes = 0;
  double one_way_seconds = 0;  // half of a round trip, median
};

/// Messages of one size that follow one another as fast as they can.
struct Stream {
  std::uint64_t bytes = 0;          // of one message
  double seconds = 0;               // of one message, median over repetitions
  double send_core_seconds = 0;     // what the sending process spends on one message, on all cores
  double receive_core_seconds = 0;  // likewise the receiving one
  double machine_core_seconds = 0;  // what the processors of rank 0's machine were busy meanwhile
};

struct MessageSamples {
  std::vector<PingPong> ping_pongs;
  Stream small;      // tiny messages: what a message costs at all
  Stream large;      // stored as they arrive
  Stream combining;  // added as they arrive
  Stream both_ways;  // stored, in both directions at once; seconds of one message each way
};

/// Called by both ranks of a job of two; rank 0 gets the samples.
MessageSamples time_messages(Session& session);

/// How much the kernel takes of a message that nobody receives yet: the smaller of the limits of
/// its socket buffers.
std::uint64_t tcp_window_bytes();

std::string encode(const MessageSamples& samples);
/// Throws WireError.
MessageSamples decode_samples(std::string_view text);

}  // namespace lockstep::exec
