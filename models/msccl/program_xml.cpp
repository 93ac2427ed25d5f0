// SPDX-License-Identifier: Apache-2.0
#include "models/msccl/program_xml.h"

#include <algorithm>
#include <array>
#include <utility>

#include "models/base/element_xml.h"
#include "models/base/errors.h"
#include "models/base/text_file.h"

namespace lockstep::msccl {

namespace {

using schedule::Collective;

/// As microsoft/msccl spells a collective; and Azure, where that differs.
constexpr std::array kCollectiveNames{"allreduce", "allgather", "reduce_scatter", "broadcast",
                                      "reducescatter"};
constexpr std::array kCollectives{Collective::AllReduce, Collective::AllGather,
                                  Collective::ReduceScatter, Collective::Broadcast,
                                  Collective::ReduceScatter};
constexpr std::array kProtocols{"Simple", "LL", "LL128"};

std::int32_t number(const Element& element, const std::string& attribute, std::int64_t low,
                    std::int64_t high) {
  return static_cast<std::int32_t>(element.integer(attribute, low, high));
}

class Reader {
 public:
  Reader(const Element& root, const std::string& where) : root_(root) { program_.file = where; }

  Program read() {
    read_algorithm();
    std::vector<bool> seen(program_.gpus.size(), false);
    for (const Element& element : root_.children()) {
      element.expect("gpu", {"id", "i_chunks", "o_chunks", "s_chunks"});
      rank_ = number(element, "id", 0, program_.ranks() - 1);
      if (seen[static_cast<std::size_t>(rank_)])
        throw ConfigError(element.place(), "there are two gpus " + std::to_string(rank_));
      seen[static_cast<std::size_t>(rank_)] = true;
      read_gpu(element);
    }
    check(program_);
    return std::move(program_);
  }

 private:
  void read_algorithm() {
    root_.expect("algo", {"name", "proto", "nchannels", "nchunksperloop", "ngpus", "coll",
                          "inplace", "outofplace", "minBytes", "maxBytes", "nthreads"});
    program_.name = root_.text("name");
    program_.protocol = kProtocols[root_.choice("proto", kProtocols)];
    program_.collective = kCollectives[root_.choice("coll", kCollectiveNames)];
    program_.channels = number(root_, "nchannels", 1, kMostChannels);
    program_.chunks = number(root_, "nchunksperloop", 1, kMostProgramChunks);
    const std::int32_t ranks = number(root_, "ngpus", 1, kMostGpus);
    if (root_.children().size() != static_cast<std::size_t>(ranks))
      throw ConfigError(root_.place(), "ngpus is " + std::to_string(ranks) + ", but there are " +
                                           std::to_string(root_.children().size()) +
                                           " elements in <algo>");
    program_.gpus.resize(static_cast<std::size_t>(ranks));
    const std::int64_t in_place = root_.integer("inplace", 0, 1);
    const std::int64_t apart = root_.integer("outofplace", 0, 1, 1 - in_place);
    if (in_place == 0 && apart == 0)
      throw ConfigError(root_.place(), "inplace and outofplace are both 0: there is no use for it");
    program_.is_in_place = in_place == 1;
    const std::int64_t least = root_.integer("minBytes", 0, INT64_MAX, 0);
    const std::int64_t most = root_.integer("maxBytes", 0, INT64_MAX, INT64_MAX);
    if (least > most) throw ConfigError(root_.place(), "minBytes is larger than maxBytes");
    if (root_.integer("nthreads", 0, 1 << 20, 0) % 32 != 0)
      throw ConfigError(root_.place(), "nthreads must be a multiple of 32");
    if (has_shares(program_.collective) && program_.chunks % ranks != 0)
      throw ConfigError(root_.place(), "nchunksperloop must be a multiple of ngpus, is " +
                                           std::to_string(program_.chunks));
  }

  void read_gpu(const Element& element) {
    Gpu& gpu = program_.gpus[static_cast<std::size_t>(rank_)];
    gpu.line = element.line();
    const std::int32_t share = program_.chunks_of_share();
    const std::int32_t expected[] = {
        program_.collective == Collective::AllGather ? share : program_.chunks,
        program_.collective == Collective::ReduceScatter ? share : program_.chunks};
    for (const std::size_t b : {0, 1}) {
      const std::string attribute = std::string(kBufferNames[b]) + "_chunks";
      gpu.chunks[b] = number(element, attribute, 0, kMostProgramChunks);
      if (gpu.chunks[b] != 0 && gpu.chunks[b] != expected[b])
        throw ConfigError(element.place(), attribute + " must be 0 or, by nchunksperloop, " +
                                               std::to_string(expected[b]) + ", is " +
                                               std::to_string(gpu.chunks[b]));
    }
    gpu.chunks[2] = number(element, "s_chunks", 0, kMostProgramChunks);
    const std::size_t blocks = element.children().size();
    if (blocks > static_cast<std::size_t>(kMostBlocks))
      throw ConfigError(element.place(), "has " + std::to_string(blocks) +
                                             " thread blocks, at most " +
                                             std::to_string(kMostBlocks) + " are possible");
    gpu.blocks.resize(blocks);
    std::vector<bool> seen(blocks, false);
    for (const Element& child : element.children()) {
      child.expect("tb", {"id", "send", "recv", "chan"});
      const auto id =
          static_cast<std::size_t>(child.integer("id", 0, static_cast<std::int64_t>(blocks) - 1));
      if (seen[id])
        throw ConfigError(child.place(), "there are two thread blocks " + std::to_string(id) +
                                             " of gpu " + std::to_string(rank_));
      seen[id] = true;
      read_block(child, gpu.blocks[id]);
    }
  }

  Rank read_peer(const Element& element, const std::string& attribute) {
    const Rank peer = number(element, attribute, -1, program_.ranks() - 1);
    if (peer == rank_)
      throw ConfigError(element.place(),
                        attribute + " must be another gpu than " + std::to_string(rank_));
    return peer;
  }

  void read_block(const Element& element, ThreadBlock& block) {
    block.line = element.line();
    block.send = read_peer(element, "send");
    block.recv = read_peer(element, "recv");
    // Of a block without messages it means nothing, and some tools write −1.
    const bool is_local = block.send < 0 && block.recv < 0;
    block.channel = std::max(0, number(element, "chan", is_local ? -1 : 0, program_.channels - 1));
    bool is_waiting = false;  // a nop has said what the next step waits for, too
    for (const Element& child : element.children()) {
      child.expect("step", {"s", "type", "srcbuf", "srcoff", "dstbuf", "dstoff", "cnt", "depid",
                            "deps", "hasdep"});
      const auto expected = static_cast<std::int64_t>(block.steps.size());
      if (expected == kMostSteps)
        throw ConfigError(child.place(),
                          "a thread block has at most " + std::to_string(kMostSteps) + " steps");
      if (child.integer("s", 0, kMostSteps - 1) != expected)
        throw ConfigError(child.place(), "is step " + child.text("s") + ", expected step " +
                                             std::to_string(expected) +
                                             ": steps must stand in order");
      const Step step = read_step(child, block);
      // MSCCL lets the nops before a step wait together with it; if it waits for nothing itself,
      // it refuses the file.
      if (is_waiting && step.type != Type::Nop && step.after_block < 0)
        throw ConfigError(child.place(),
                          "waits for what the nops before it say, but for nothing itself "
                          "(depid): move one of theirs here");
      is_waiting = step.type == Type::Nop && (is_waiting || step.after_block >= 0);
      block.steps.push_back(step);
    }
  }

  Place read_place(const Element& element, const std::string& end) {
    Place place;
    place.buffer = static_cast<Buffer>(element.choice(end + "buf", kBufferNames));
    place.chunk = number(element, end + "off", -1, kMostProgramChunks);
    return place;
  }

  void check_bounds(const Element& element, const std::string& end, const Place& place,
                    std::int32_t count) {
    const auto buffer = static_cast<std::size_t>(place.buffer);
    const std::int32_t chunks = program_.gpus[static_cast<std::size_t>(rank_)].chunks[buffer];
    if (place.chunk >= 0 && place.chunk + count <= chunks) return;
    throw ConfigError(element.place(), end + "off " + std::to_string(place.chunk) + " and cnt " +
                                           std::to_string(count) + " lead out of buffer " +
                                           kBufferNames[buffer] + ", which has " +
                                           std::to_string(chunks) + " chunks on gpu " +
                                           std::to_string(rank_));
  }

  Step read_step(const Element& element, const ThreadBlock& block) {
    Step step;
    step.line = element.line();
    if (element.text("type") == "ra")
      throw ConfigError(element.place(),
                        "type ra adds a residual, which is no part of a collective");
    step.type = static_cast<Type>(element.choice("type", kTypeNames));
    step.from = read_place(element, "src");
    step.into = read_place(element, "dst");
    step.count = number(element, "cnt", step.type == Type::Nop ? 0 : 1, kMostChunks);
    if (sends(step.type) && block.send < 0)
      throw ConfigError(element.place(), "sends, but its thread block sends to no gpu");
    if (receives(step.type) && block.recv < 0)
      throw ConfigError(element.place(), "receives, but its thread block receives from no gpu");
    if (reads_from(step.type)) check_bounds(element, "src", step.from, step.count);
    if (writes_into(step.type)) check_bounds(element, "dst", step.into, step.count);
    if (reads_from(step.type) && writes_into(step.type)) check_overlap(element, step);
    step.after_block = number(element, "depid", -1, kMostBlocks - 1);
    step.after_step = number(element, "deps", -1, kMostSteps - 1);
    if ((step.after_block < 0) != (step.after_step < 0))
      throw ConfigError(element.place(), "only one of depid and deps is -1");
    step.is_awaited = number(element, "hasdep", 0, 1) == 1;
    return step;
  }

  /// A step that reads and writes may do both to the same chunks, or to others.
  void check_overlap(const Element& element, const Step& step) {
    const auto is_data = [&](const Place& place) { return place.buffer != Buffer::Scratch; };
    if (is_data(step.from) != is_data(step.into)) return;
    if (is_data(step.from) && step.from.buffer != step.into.buffer && !program_.is_in_place) return;
    const bool mapped = is_data(step.from);
    const std::int32_t from = mapped ? program_.data_chunk(rank_, step.from) : step.from.chunk;
    const std::int32_t into = mapped ? program_.data_chunk(rank_, step.into) : step.into.chunk;
    if (from != into && std::abs(from - into) < step.count)
      throw ConfigError(element.place(), "reads and writes chunks that overlap in part");
  }

  const Element& root_;
  Program program_;
  Rank rank_ = 0;  // whose part is being read
};

}  // namespace

Program parse_program(const std::string& text, const std::string& where) {
  constexpr std::size_t kDepth = 4;  // algo, gpu, tb, step
  const Element root = parse_xml(text, where, kDepth);
  return Reader(root, where).read();
}

Program load_program(const std::string& path) {
  return parse_program(read_text(path), path);
}

namespace {

/// ' name="value"'.
std::string attribute(const char* name, const std::string& value) {
  return std::string(" ") + name + "=\"" + escape_xml(value) + '"';
}
std::string attribute(const char* name, std::int64_t value) {
  return attribute(name, std::to_string(value));
}

std::string text_of(const Step& step, std::size_t number) {
  return "      <step" + attribute("s", static_cast<std::int64_t>(number)) +
         attribute("type", kTypeNames[static_cast<std::size_t>(step.type)]) +
         attribute("srcbuf", kBufferNames[static_cast<std::size_t>(step.from.buffer)]) +
         attribute("srcoff", step.from.chunk) +
         attribute("dstbuf", kBufferNames[static_cast<std::size_t>(step.into.buffer)]) +
         attribute("dstoff", step.into.chunk) + attribute("cnt", step.count) +
         attribute("depid", step.after_block) + attribute("deps", step.after_step) +
         attribute("hasdep", step.is_awaited ? 1 : 0) + "/>\n";
}

}  // namespace

std::string to_xml(const Program& program) {
  const auto coll = static_cast<std::size_t>(
      std::find(kCollectives.begin(), kCollectives.end(), program.collective) -
      kCollectives.begin());
  std::string text =
      "<algo" + attribute("name", program.name) + attribute("proto", program.protocol) +
      attribute("nchannels", program.channels) + attribute("nchunksperloop", program.chunks) +
      attribute("ngpus", program.ranks()) + attribute("coll", kCollectiveNames[coll]) +
      attribute("inplace", program.is_in_place ? 1 : 0) +
      attribute("outofplace", program.is_in_place ? 0 : 1) + attribute("minBytes", 0) +
      attribute("maxBytes", std::int64_t{1} << 40) + ">\n";
  for (std::size_t g = 0; g < program.gpus.size(); ++g) {
    const Gpu& gpu = program.gpus[g];
    text += "  <gpu" + attribute("id", static_cast<std::int64_t>(g)) +
            attribute("i_chunks", gpu.chunks[0]) + attribute("o_chunks", gpu.chunks[1]) +
            attribute("s_chunks", gpu.chunks[2]) + ">\n";
    for (std::size_t b = 0; b < gpu.blocks.size(); ++b) {
      const ThreadBlock& block = gpu.blocks[b];
      text += "    <tb" + attribute("id", static_cast<std::int64_t>(b)) +
              attribute("send", block.send) + attribute("recv", block.recv) +
              attribute("chan", block.channel) + ">\n";
      for (std::size_t s = 0; s < block.steps.size(); ++s)
        text += text_of(block.steps[s], s);
      text += "    </tb>\n";
    }
    text += "  </gpu>\n";
  }
  return text + "</algo>\n";
}

}  // namespace lockstep::msccl
