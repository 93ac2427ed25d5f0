// SPDX-License-Identifier: Apache-2.0
// An MSCCL algorithm as its XML file says it: what every GPU does to the chunks of its buffers.
// README.md explains the format.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "models/base/ids.h"
#include "models/schedule/collective.h"

namespace lockstep::msccl {

/// What MSCCL has room for (src/include/msccl.h, and MAXCHANNELS of NCCL).
inline constexpr std::int32_t kMostSteps = 256;   // of a thread block
inline constexpr std::int32_t kMostBlocks = 216;  // of a GPU
inline constexpr std::int32_t kMostChannels = 32;
inline constexpr std::int32_t kMostPeers = 32;   // of a GPU on one channel, in one direction
inline constexpr std::int32_t kMostChunks = 71;  // of a step
/// And what files are taken seriously with.
inline constexpr std::int32_t kMostGpus = 1 << 16;
inline constexpr std::int32_t kMostProgramChunks = 1 << 20;

enum class Type : std::uint8_t {
  Nop,                 // only waits
  Send,                // send `from`
  Recv,                // receive into `into`
  RecvCopySend,        // receive into `into`, and send it on
  RecvReduceSend,      // receive, add `from`, send the sum on; it is not stored
  RecvReduceCopy,      // receive, add `from`, store the sum in `into`
  RecvReduceCopySend,  // the same, and send the sum on
  Copy,                // into = from
  Reduce,              // into = into + from
};
inline constexpr std::array kTypeNames{"nop", "s", "r", "rcs", "rrs", "rrc", "rrcs", "cpy", "re"};

bool sends(Type type);
bool receives(Type type);
bool reads_from(Type type);  // whether `from` means anything
bool writes_into(Type type);

enum class Buffer : std::uint8_t { Input, Output, Scratch };
inline constexpr std::array kBufferNames{"i", "o", "s"};

/// Chunk `chunk` of a buffer, and of a step with a count the chunks after it.
struct Place {
  Buffer buffer = Buffer::Input;
  std::int32_t chunk = -1;
  friend bool operator==(const Place&, const Place&) = default;
};

struct Step {
  Type type = Type::Nop;
  Place from{};
  Place into{};
  std::int32_t count = 0;  // chunks
  /// Starts when this step of another thread block of the same GPU is complete; −1 = no other.
  std::int32_t after_block = -1;
  std::int32_t after_step = -1;
  bool is_awaited = false;  // some step waits for this one
  int line = 0;             // in the file; 0 = in none
};

/// Steps that one GPU does one after the other. All of its messages go over one channel, to one
/// GPU, and from one.
struct ThreadBlock {
  Rank send = -1;  // −1 = to none
  Rank recv = -1;
  std::int32_t channel = 0;
  std::vector<Step> steps;
  int line = 0;
};

struct Gpu {
  std::array<std::int32_t, 3> chunks{};  // of the input, the output, and scratch
  std::vector<ThreadBlock> blocks;
  int line = 0;
};

struct Program {
  std::string file;  // for errors
  std::string name;
  std::string protocol = "Simple";
  schedule::Collective collective = schedule::Collective::AllReduce;
  Rank root = 0;            // of a broadcast
  bool is_in_place = true;  // the output lies over the input; otherwise they are apart
  std::int32_t channels = 1;
  std::int32_t chunks = 1;  // that the data of all ranks together are cut into
  std::vector<Gpu> gpus;

  std::int32_t ranks() const { return static_cast<std::int32_t>(gpus.size()); }
  std::int32_t chunks_of_share() const;  // all of them if ranks have no shares
  /// The place of chunk `place` of GPU `rank` among all chunks of the data: what an input or output
  /// chunk is a chunk of.
  std::int32_t data_chunk(Rank rank, const Place& place) const;
};

/// Whether a rank's input or output is only its share of the data: in an all-gather and a
/// reduce-scatter.
bool has_shares(schedule::Collective collective);

/// "ring.xml:12", or the file alone.
std::string place_of(const Program& program, int line);

/// Throws ConfigError when the parts do not fit together: a step waits for what is not there or
/// does not say that it is awaited, steps of a GPU wait for one another in a circle, more thread
/// blocks share a channel than may, a message is sent that nobody receives or the other way round,
/// or of another size, or a broadcast has no root (the one GPU that does not begin by receiving).
/// Sets the root.
void check(Program& program);

}  // namespace lockstep::msccl
