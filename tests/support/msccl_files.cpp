// SPDX-License-Identifier: Apache-2.0
#include "tests/support/msccl_files.h"

#include <set>
#include <utility>

namespace lockstep::support {

namespace {

std::string in(const std::string& buffer, int chunk) {
  return buffer + std::to_string(chunk);
}

std::string place(const std::string& end, const std::string& at) {
  const std::string shown = at.empty() ? "i-1" : at;
  return " " + end + "buf=\"" + shown.substr(0, 1) + "\" " + end + "off=\"" + shown.substr(1) +
         "\"";
}

std::string number(const std::string& name, std::size_t value) {
  return " " + name + "=\"" + std::to_string(value) + "\"";
}
std::string number(const std::string& name, int value) {
  return " " + name + "=\"" + std::to_string(value) + "\"";
}

FileStep step(std::string type, std::string from, std::string into, int count = 1) {
  return {std::move(type), std::move(from), std::move(into), count, -1, -1};
}

}  // namespace

std::string file_of(const std::vector<FileGpu>& gpus, const std::string& attributes) {
  std::string text = "<algo name=\"test\" proto=\"Simple\"" + number("ngpus", gpus.size()) + " " +
                     attributes + ">\n";
  for (std::size_t g = 0; g < gpus.size(); ++g) {
    const FileGpu& gpu = gpus[g];
    std::set<std::pair<int, int>> awaited;
    for (const FileBlock& block : gpu.blocks)
      for (const FileStep& waiting : block.steps)
        awaited.insert({waiting.after_block, waiting.after_step});
    text += "  <gpu" + number("id", g) + number("i_chunks", gpu.input) +
            number("o_chunks", gpu.output) + number("s_chunks", gpu.scratch) + ">\n";
    for (std::size_t b = 0; b < gpu.blocks.size(); ++b) {
      const FileBlock& block = gpu.blocks[b];
      text += "    <tb" + number("id", b) + number("send", block.send) +
              number("recv", block.recv) + number("chan", block.channel) + ">\n";
      for (std::size_t s = 0; s < block.steps.size(); ++s) {
        const FileStep& made = block.steps[s];
        const bool hasdep = awaited.contains({static_cast<int>(b), static_cast<int>(s)});
        text += "      <step" + number("s", s) + " type=\"" + made.type + "\"" +
                place("src", made.from) + place("dst", made.into) + number("cnt", made.count) +
                number("depid", made.after_block) + number("deps", made.after_step) +
                number("hasdep", hasdep ? 1 : 0) + "/>\n";
      }
      text += "    </tb>\n";
    }
    text += "  </gpu>\n";
  }
  return text + "</algo>\n";
}

std::string fused_ring(int ranks, bool channel_per_chunk) {
  std::vector<FileGpu> gpus;
  for (int rank = 0; rank < ranks; ++rank) {
    FileGpu& gpu = gpus.emplace_back(FileGpu{ranks, 0, 0, {}});
    const FileBlock block{(rank + 1) % ranks, (rank + ranks - 1) % ranks, 0, {}};
    gpu.blocks.assign(static_cast<std::size_t>(channel_per_chunk ? ranks : 1), block);
    // Chunk c starts at rank c, is complete at rank c − 1, and is known everywhere at rank c − 2.
    for (int distance = 0; distance < 2 * ranks - 1; ++distance) {
      const int chunk = (rank - distance + 2 * ranks) % ranks;
      FileBlock& on = gpu.blocks[static_cast<std::size_t>(channel_per_chunk ? chunk : 0)];
      on.channel = channel_per_chunk ? chunk : 0;
      const std::string type = distance == 0              ? "s"
                               : distance < ranks - 1     ? "rrs"
                               : distance == ranks - 1    ? "rrcs"
                               : distance < 2 * ranks - 2 ? "rcs"
                                                          : "r";
      on.steps.push_back(step(type, in("i", chunk), in("i", chunk)));
    }
  }
  return file_of(gpus, "nchannels=\"" + std::to_string(channel_per_chunk ? ranks : 1) +
                           "\" nchunksperloop=\"" + std::to_string(ranks) +
                           "\" coll=\"allreduce\" inplace=\"1\"");
}

std::string all_pairs(int ranks) {
  // Rank r adds up chunks r·p … r·p + p − 1, chunk r·p + k in thread block k. Blocks 0 … p − 2 are
  // those of the pairs; scratch chunk j·p + k holds chunk k of what the j-th other rank sends.
  std::vector<FileGpu> gpus;
  for (int rank = 0; rank < ranks; ++rank) {
    FileGpu& gpu = gpus.emplace_back(FileGpu{ranks * ranks, 0, (ranks - 1) * ranks, {}});
    for (int peer = 0; peer < ranks; ++peer) {
      if (peer == rank) continue;
      const int j = static_cast<int>(gpu.blocks.size());
      gpu.blocks.push_back({peer, peer, 0, {}});
      gpu.blocks.back().steps = {step("s", in("i", peer * ranks), "s0", ranks),
                                 step("r", "i0", in("s", j * ranks), ranks)};
    }
    const int pairs = ranks - 1;
    for (int k = 0; k < ranks; ++k) {
      std::vector<FileStep> adding;
      for (int j = 1; j < pairs; ++j)
        adding.push_back({"nop", "", "", 0, j, 1});
      for (int j = 0; j < pairs; ++j) {
        adding.push_back(step("re", in("s", j * ranks + k), in("i", rank * ranks + k)));
        if (j == 0) adding.back().after_block = 0, adding.back().after_step = 1;
      }
      gpu.blocks.push_back({-1, -1, 0, std::move(adding)});
    }
    const int last = 2 * pairs - 2;  // nops, then as many additions as there are pairs
    for (int j = 0; j < pairs; ++j) {
      std::vector<FileStep>& steps = gpu.blocks[static_cast<std::size_t>(j)].steps;
      const int peer = gpu.blocks[static_cast<std::size_t>(j)].send;
      for (int k = 1; k < ranks; ++k)
        steps.push_back({"nop", "", "", 0, pairs + k, last});
      steps.push_back({"s", in("i", rank * ranks), in("i", rank * ranks), ranks, pairs, last});
      steps.push_back(step("r", in("i", peer * ranks), in("i", peer * ranks), ranks));
    }
  }
  return file_of(gpus, "nchannels=\"1\" nchunksperloop=\"" + std::to_string(ranks * ranks) +
                           "\" coll=\"allreduce\" inplace=\"1\" outofplace=\"0\"");
}

std::string direct_all_gather(int ranks, int chunks, bool in_place) {
  std::vector<FileGpu> gpus;
  for (int rank = 0; rank < ranks; ++rank) {
    FileGpu& gpu = gpus.emplace_back(FileGpu{in_place ? 0 : chunks, ranks * chunks, 0, {}});
    const std::string own = in_place ? in("o", rank * chunks) : "i0";
    for (int peer = 0; peer < ranks; ++peer) {
      if (peer == rank) continue;
      gpu.blocks.push_back({peer, -1, 0, {step("s", own, in("o", rank * chunks), chunks)}});
      const std::string theirs = in("o", peer * chunks);
      gpu.blocks.push_back({-1, peer, 0, {step("r", theirs, theirs, chunks)}});
    }
    if (!in_place)
      gpu.blocks.push_back({-1, -1, 0, {step("cpy", "i0", in("o", rank * chunks), chunks)}});
  }
  return file_of(gpus, "nchannels=\"1\" nchunksperloop=\"" + std::to_string(ranks * chunks) +
                           "\" coll=\"allgather\" inplace=\"" + (in_place ? "1" : "0") + "\"");
}

std::string direct_reduce_scatter(int ranks, int chunks, bool in_place) {
  std::vector<FileGpu> gpus;
  for (int rank = 0; rank < ranks; ++rank) {
    FileGpu& gpu = gpus.emplace_back(FileGpu{ranks * chunks, in_place ? 0 : chunks, 0, {}});
    const std::string own = in("i", rank * chunks);
    const std::string sum = in_place ? own : "o0";
    // The receives of different blocks add to the same chunks: each waits for the one before. The
    // first adds to the input, the others to the sum.
    int before = -1;
    for (int peer = 0; peer < ranks; ++peer) {
      if (peer == rank) continue;
      gpu.blocks.push_back({peer, -1, 0, {step("s", in("i", peer * chunks), own, chunks)}});
      gpu.blocks.push_back({-1, peer, 0, {step("rrc", before < 0 ? own : sum, sum, chunks)}});
      if (before >= 0) {
        gpu.blocks.back().steps[0].after_block = before;
        gpu.blocks.back().steps[0].after_step = 0;
      }
      before = static_cast<int>(gpu.blocks.size()) - 1;
    }
    if (ranks == 1 && !in_place) gpu.blocks.push_back({-1, -1, 0, {step("cpy", own, sum, chunks)}});
  }
  return file_of(gpus, "nchannels=\"1\" nchunksperloop=\"" + std::to_string(ranks * chunks) +
                           "\" coll=\"reduce_scatter\" inplace=\"" + (in_place ? "1" : "0") + "\"");
}

std::string chain_broadcast(int ranks, int root, int chunks, bool in_place) {
  std::vector<FileGpu> gpus;
  for (int rank = 0; rank < ranks; ++rank) {
    FileGpu& gpu = gpus.emplace_back(FileGpu{in_place ? 0 : chunks, chunks, 0, {}});
    const int place = (rank - root + ranks) % ranks;
    const bool is_last = place == ranks - 1;
    FileBlock block{
        is_last ? -1 : (rank + 1) % ranks, place == 0 ? -1 : (rank + ranks - 1) % ranks, 0, {}};
    for (int c = 0; c < chunks; ++c) {
      if (place == 0 && !in_place) block.steps.push_back(step("cpy", in("i", c), in("o", c)));
      if (place == 0 && !is_last) block.steps.push_back(step("s", in("o", c), in("o", c)));
      if (place > 0) block.steps.push_back(step(is_last ? "r" : "rcs", in("o", c), in("o", c)));
    }
    gpu.blocks.push_back(std::move(block));
  }
  return file_of(gpus, "nchannels=\"1\" nchunksperloop=\"" + std::to_string(chunks) +
                           "\" coll=\"broadcast\" inplace=\"" + (in_place ? "1" : "0") + "\"");
}

}  // namespace lockstep::support
