// SPDX-License-Identifier: Apache-2.0
// MSCCL XML as other tools write it, for any number of GPUs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::support {

/// A step without its number and without "hasdep", which follow from where it is put.
struct FileStep {
  std::string type;
  std::string from;  // "i3": chunk 3 of the input
  std::string into;
  int count = 1;
  int after_block = -1;
  int after_step = -1;
};

struct FileBlock {
  int send = -1;
  int recv = -1;
  int channel = 0;
  std::vector<FileStep> steps;
};

struct FileGpu {
  int input = 0;  // chunks
  int output = 0;
  int scratch = 0;
  std::vector<FileBlock> blocks;
};

/// `attributes`: of <algo>, besides name, proto and ngpus. One element a line: <algo> is line 1.
std::string file_of(const std::vector<FileGpu>& gpus, const std::string& attributes);

/// The ring of msccl-tools: a thread block of each GPU receives from one neighbour and sends to the
/// other, with fused steps; the chunk of each rank has a channel of its own, if so wished.
std::string fused_ring(int ranks, bool channel_per_chunk);

/// The all-pairs all-reduce of msccl-tools: every GPU sends to each other the chunks that the other
/// is to add up, adds its own, one chunk in each thread block, and sends the sums to all. Sends and
/// receives of a pair share a thread block, and nops gather what a step waits for.
std::string all_pairs(int ranks);

/// Every GPU sends its share to each other; input and output lie apart or not.
std::string direct_all_gather(int ranks, int chunks_of_share, bool in_place);
/// Every GPU sends to each other the other's share, and adds what it gets to a copy of its own.
std::string direct_reduce_scatter(int ranks, int chunks_of_share, bool in_place);
/// A chain from `root` on, `chunks` messages long.
std::string chain_broadcast(int ranks, int root, int chunks, bool in_place);

}  // namespace lockstep::support
