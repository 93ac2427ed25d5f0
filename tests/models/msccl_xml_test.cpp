// SPDX-License-Identifier: Apache-2.0
// MSCCL XML that is wrong in one way is an error that names the line; damaged in any way, no crash.
#include "models/msccl/program_xml.h"

#include <catch2/catch.hpp>
#include <sstream>

#include "models/base/errors.h"
#include "models/base/random.h"
#include "models/msccl/steps.h"
#include "tests/support/hand_written.h"
#include "tests/support/msccl_files.h"

namespace lockstep::msccl {

using support::complaints;
using support::Texts;

namespace {

/// Two GPUs send each other all they have and add what they get once theirs has left. Lines: 1
/// algo, 2 gpu 0, 3 its first thread block, 4 send, 6, 7 receive, 9, 10 nop, 11 add; 14 gpu 1, and
/// so on.
std::string good() {
  std::vector<support::FileGpu> gpus;
  for (const int other : {1, 0})
    gpus.push_back({2,
                    0,
                    2,
                    {{other, -1, 0, {{"s", "i0", "s0", 2, -1, -1}}},
                     {-1, other, 0, {{"r", "i0", "s0", 2, -1, -1}}},
                     {-1, -1, 0, {{"nop", "", "", 0, 0, 0}, {"re", "s0", "i0", 2, 1, 0}}}}});
  return support::file_of(gpus, R"(nchannels="1" nchunksperloop="2" coll="allreduce" inplace="1")");
}

std::string error_of(const std::string& text) {
  try {
    parse_program(text, "f.xml");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

/// good() with `from` replaced by `to` in one line, from 1.
std::string with(int line, const std::string& from, const std::string& to) {
  std::istringstream lines(good());
  std::string text;
  int number = 0;
  bool found = false;
  for (std::string each; std::getline(lines, each); text += each + "\n")
    if (++number == line) {
      const std::size_t at = each.find(from);
      REQUIRE(at != std::string::npos);
      each.replace(at, from.size(), to);
      found = true;
    }
  REQUIRE(found);
  return text;
}

struct Fault {
  int line;
  const char* from;
  const char* to;
  const char* error;  // what follows "f.xml:"; "" = none
};

void check_faults(const std::vector<Fault>& faults) {
  for (const Fault& fault : faults) {
    const std::string expected =
        *fault.error == '\0' ? "no error" : std::string("f.xml:") + fault.error;
    CHECK(error_of(with(fault.line, fault.from, fault.to)) == expected);
  }
}

}  // namespace

TEST_CASE("msccl xml: the example that is damaged below is right", "[msccl]") {
  const Program program = parse_program(good(), "f.xml");
  CHECK(complaints(make_schedule(program, 7), contract_of(program, 7)) == Texts{});
  CHECK(parse_program(to_xml(program), "f.xml").gpus.size() == 2);
}

TEST_CASE("msccl xml: text that is not well-formed", "[msccl]") {
  CHECK(error_of("") == "f.xml:1: is not well-formed XML: no element found");
  CHECK(error_of("\n\n") == "f.xml:3: is not well-formed XML: no element found");
  CHECK(error_of("{\"name\": 1}") ==
        "f.xml:1: is not well-formed XML: not well-formed (invalid token)");
  CHECK(error_of(std::string("\x7f\x45\x4c\x46\0\1\2\xff", 8)) ==
        "f.xml:1: is not well-formed XML: not well-formed (invalid token)");
  CHECK(error_of("<!DOCTYPE algo [<!ENTITY a \"b\">]>\n<algo/>") ==
        "f.xml:1: a document type is not expected here");
  CHECK(error_of(good() + "<algo/>") ==
        "f.xml:27: is not well-formed XML: junk after document element");
  check_faults({
      {1, "nchannels=\"1\"", "nchannels=1",
       "1: is not well-formed XML: not well-formed "
       "(invalid token)"},
      {1, "inplace=\"1\"", "name=\"x\"", "1: is not well-formed XML: duplicate attribute"},
      {5, "</tb>", "</gpu>", "5: is not well-formed XML: mismatched tag"},
      {26, "</algo>", "", "27: is not well-formed XML: no element found"},
      {4, "cnt=\"2\"", "cnt=\"<\"", "4: is not well-formed XML: not well-formed (invalid token)"},
      {4, "cnt=\"2\"", "cnt=\"&a;\"", "4: is not well-formed XML: undefined entity"},
      {4, "/>", "><a><b/></a></step>", "4: elements are nested deeper than 4"},
      {5, "</tb>", "step</tb>", "5: text is not expected here"},
      {5, "</tb>", "<!-- a comment --></tb>", ""},
  });
}

TEST_CASE("msccl xml: elements and attributes that are missing, unknown or out of range",
          "[msccl]") {
  check_faults({
      {1, "<algo", "<algo x=\"\"",
       "1: <algo> has no attribute \"x\" (known here: name, proto, "
       "nchannels, nchunksperloop, ngpus, coll, inplace, outofplace, "
       "minBytes, maxBytes, nthreads)"},
      {1, " name=\"test\"", "", "1: <algo> lacks the attribute \"name\""},
      {1, "Simple", "simple", "1: proto must be one of Simple, LL, LL128, is \"simple\""},
      {1, "allreduce", "alltoall",
       "1: coll must be one of allreduce, allgather, reduce_scatter, "
       "broadcast, reducescatter, is \"alltoall\""},
      {1, "nchannels=\"1\"", "nchannels=\"33\"",
       "1: nchannels must be a whole number 1 … 32, is "
       "\"33\""},
      {1, "nchunksperloop=\"2\"", "nchunksperloop=\"99999999999999999999\"",
       "1: nchunksperloop must be a whole number 1 … 1048576, is \"99999999999999999999\""},
      {1, "nchunksperloop=\"2\"", "nchunksperloop=\"0x2\"",
       "1: nchunksperloop must be a whole number 1 … 1048576, is \"0x2\""},
      {1, "nchunksperloop=\"2\"", "nchunksperloop=\"\"",
       "1: nchunksperloop must be a whole number 1 … 1048576, is \"\""},
      {1, "nchunksperloop=\"2\"", "nchunksperloop=\"3\"",
       "2: i_chunks must be 0 or, by nchunksperloop, 3, is 2"},
      {1, "ngpus=\"2\"", "ngpus=\"3\"", "1: ngpus is 3, but there are 2 elements in <algo>"},
      {1, "ngpus=\"2\"", "ngpus=\"0\"", "1: ngpus must be a whole number 1 … 65536, is \"0\""},
      {1, "inplace=\"1\"", "inplace=\"2\"", "1: inplace must be a whole number 0 … 1, is \"2\""},
      {1, "inplace=\"1\"", "inplace=\"0\" outofplace=\"0\"",
       "1: inplace and outofplace are both 0: there is no use for it"},
      {1, "inplace=\"1\"", "inplace=\"1\" minBytes=\"5\" maxBytes=\"4\"",
       "1: minBytes is larger than maxBytes"},
      {1, "inplace=\"1\"", "inplace=\"1\" nthreads=\"33\"", "1: nthreads must be a multiple of 32"},
      {1, "coll=\"allreduce\"", "coll=\"allgather\"",
       "2: i_chunks must be 0 or, by nchunksperloop, 1, is 2"},
      {2, "<gpu", "<cpu", "13: is not well-formed XML: mismatched tag"},
      {2, "i_chunks", "i_chunk",
       "2: <gpu> has no attribute \"i_chunk\"; did you mean "
       "\"i_chunks\"?"},
      {14, "id=\"1\"", "id=\"0\"", "14: there are two gpus 0"},
      {14, "id=\"1\"", "id=\"2\"", "14: id must be a whole number 0 … 1, is \"2\""},
      {2, "s_chunks=\"2\"", "s_chunks=\"-1\"",
       "2: s_chunks must be a whole number 0 … 1048576, is \"-1\""},
      {6, "id=\"1\"", "id=\"0\"", "6: there are two thread blocks 0 of gpu 0"},
      {9, "id=\"2\"", "id=\"3\"", "9: id must be a whole number 0 … 2, is \"3\""},
      {3, "send=\"1\"", "send=\"2\"", "3: send must be a whole number -1 … 1, is \"2\""},
      {3, "send=\"1\"", "send=\"-2\"", "3: send must be a whole number -1 … 1, is \"-2\""},
      {3, "send=\"1\"", "send=\"0\"", "3: send must be another gpu than 0"},
      {3, "chan=\"0\"", "chan=\"1\"", "3: chan must be a whole number 0 … 0, is \"1\""},
      {3, "chan=\"0\"", "chan=\"-1\"", "3: chan must be a whole number 0 … 0, is \"-1\""},
      {9, "chan=\"0\"", "chan=\"-1\"", ""},
      {4, "<step", "<stop", "4: expected <step>, is an element \"stop\""},
  });
}

TEST_CASE("msccl xml: steps that cannot be", "[msccl]") {
  check_faults({
      {4, "s=\"0\"", "s=\"1\"", "4: is step 1, expected step 0: steps must stand in order"},
      {4, "s=\"0\"", "s=\"256\"", "4: s must be a whole number 0 … 255, is \"256\""},
      {11, "s=\"1\"", "s=\"0\"", "11: is step 0, expected step 1: steps must stand in order"},
      {4, "type=\"s\"", "type=\"put\"",
       "4: type must be one of nop, s, r, rcs, rrs, rrc, rrcs, cpy, re, is \"put\""},
      {4, "type=\"s\"", "type=\"ra\"",
       "4: type ra adds a residual, which is no part of a collective"},
      {4, "srcbuf=\"i\"", "srcbuf=\"x\"", "4: srcbuf must be one of i, o, s, is \"x\""},
      {4, "cnt=\"2\"", "cnt=\"0\"", "4: cnt must be a whole number 1 … 71, is \"0\""},
      {4, "cnt=\"2\"", "cnt=\"72\"", "4: cnt must be a whole number 1 … 71, is \"72\""},
      {4, "srcoff=\"0\"", "srcoff=\"1\"",
       "4: srcoff 1 and cnt 2 lead out of buffer i, which has 2 chunks on gpu 0"},
      {4, "srcoff=\"0\"", "srcoff=\"-1\"",
       "4: srcoff -1 and cnt 2 lead out of buffer i, which has 2 chunks on gpu 0"},
      {7, "dstbuf=\"s\"", "dstbuf=\"o\"",
       "7: dstoff 0 and cnt 2 lead out of buffer o, which has 0 chunks on gpu 0"},
      {4, "dstbuf=\"s\"", "dstbuf=\"o\"", ""},  // of another gpu, and only for people
      {7, "type=\"r\"", "type=\"rcs\"", "7: sends, but its thread block sends to no gpu"},
      {4, "type=\"s\"", "type=\"r\"", "4: receives, but its thread block receives from no gpu"},
      {11, "srcbuf=\"s\" srcoff=\"0\" dstbuf=\"i\" dstoff=\"0\" cnt=\"2\"",
       "srcbuf=\"i\" srcoff=\"0\" dstbuf=\"i\" dstoff=\"1\" cnt=\"1\"", ""},
      {11, "srcbuf=\"s\"", "srcbuf=\"i\"", ""},  // the same chunks, twice as much
      {4, "depid=\"-1\"", "depid=\"0\"", "4: only one of depid and deps is -1"},
      {4, "hasdep=\"1\"", "hasdep=\"2\"", "4: hasdep must be a whole number 0 … 1, is \"2\""},
      {11, "depid=\"1\" deps=\"0\"", "depid=\"-1\" deps=\"-1\"",
       "11: waits for what the nops before it say, but for nothing itself (depid): move one of "
       "theirs here"},
  });
  const Program overlapping = parse_program(with(2, "s_chunks=\"2\"", "s_chunks=\"3\""), "f.xml");
  CHECK(overlapping.gpus[0].chunks[2] == 3);
  std::string text = with(2, "s_chunks=\"2\"", "s_chunks=\"3\"");
  const std::string step = "srcbuf=\"s\" srcoff=\"0\" dstbuf=\"i\" dstoff=\"0\"";
  text.replace(text.find(step), step.size(), "srcbuf=\"s\" srcoff=\"0\" dstbuf=\"s\" dstoff=\"1\"");
  CHECK(error_of(text) == "f.xml:11: reads and writes chunks that overlap in part");
}

TEST_CASE("msccl xml: steps that wait for what is not there", "[msccl]") {
  check_faults({
      {11, "depid=\"1\"", "depid=\"3\"",
       "11: waits for step 0 of thread block 3, which does not exist"},
      {11, "deps=\"0\"", "deps=\"1\"",
       "11: waits for step 1 of thread block 1, which does not exist"},
      {11, "depid=\"1\" deps=\"0\"", "depid=\"2\" deps=\"1\"",
       "11: waits for step 1 of thread block 2 (line 11), its own, but is not after it"},
      {4, "depid=\"-1\" deps=\"-1\"", "depid=\"2\" deps=\"0\"",
       "4: waits for step 0 of thread block 2 (line 10), a nop, which nobody can wait for"},
      {7, "hasdep=\"1\"", "hasdep=\"0\"",
       "11: waits for step 0 of thread block 1 (line 7), which does not say so (hasdep must be 1 "
       "there)"},
  });
  // The send waits for the addition, which waits for the send.
  std::string circle = with(4, "depid=\"-1\" deps=\"-1\"", "depid=\"2\" deps=\"1\"");
  const std::string last = "deps=\"0\" hasdep=\"0\"/>\n    </tb>\n  </gpu>\n  <gpu";
  circle.replace(circle.find(last) + 9, 10, "hasdep=\"1\"");
  CHECK(error_of(circle) ==
        "f.xml:10: gpu 0, thread block 2, step 0 never starts: it waits for gpu 0, thread block "
        "0, step 0 (line 4), which waits for it in turn");
}

TEST_CASE("msccl xml: messages that do not pair up", "[msccl]") {
  check_faults({
      {19, "cnt=\"2\"", "cnt=\"1\"",
       "4: sends to gpu 1 on channel 0 2 chunks, but line 19 receives 1"},
      {19, "type=\"r\"", "type=\"cpy\"",
       "4: sends to gpu 1 on channel 0, which receives nothing to match"},
      {16, "type=\"s\"", "type=\"cpy\"",
       "7: receives from gpu 1 on channel 0, which sends nothing to match"},
      {6, "recv=\"1\"", "send=\"1\" recv=\"1\"", "6: is not well-formed XML: duplicate attribute"},
      {6, "send=\"-1\"", "send=\"1\"",
       "6: sends to gpu 1 on channel 0, and so does the thread block in line 3"},
  });
}

TEST_CASE("msccl xml: more than MSCCL has room for", "[msccl]") {
  using support::FileBlock;
  using support::FileStep;
  const std::string attributes = R"(nchannels="2" nchunksperloop="1" coll="allreduce" inplace="1")";
  const FileStep nothing{"nop", "", "", 0, -1, -1};
  // <algo> and <gpu> are lines 1 and 2, the thread block line 3.
  const FileBlock longest{-1, -1, 0, std::vector<FileStep>(256, nothing)};
  CHECK(error_of(support::file_of({{1, 0, 0, {longest}}}, attributes)) == "no error");
  const FileBlock too_long{-1, -1, 0, std::vector<FileStep>(257, nothing)};
  CHECK(error_of(support::file_of({{1, 0, 0, {too_long}}}, attributes)) ==
        "f.xml:260: a thread block has at most 256 steps");
  const FileBlock empty;
  CHECK(error_of(support::file_of({{1, 0, 0, std::vector<FileBlock>(216, empty)}}, attributes)) ==
        "no error");
  CHECK(error_of(support::file_of({{1, 0, 0, std::vector<FileBlock>(217, empty)}}, attributes)) ==
        "f.xml:2: has 217 thread blocks, at most 216 are possible");
  // To each of 33 others by a thread block without steps: two lines each, from line 3 on.
  std::vector<support::FileGpu> gpus(34);
  for (int peer = 1; peer < 34; ++peer)
    gpus[0].blocks.push_back({peer, -1, peer == 1 ? 1 : 0, {}});
  CHECK(error_of(support::file_of(gpus, attributes)) == "no error");
  gpus[0].blocks[0].channel = 0;
  CHECK(error_of(support::file_of(gpus, attributes)) ==
        "f.xml:67: is number 33 of the thread blocks of its gpu that send on channel 0, at most 32 "
        "are possible");
}

TEST_CASE("msccl xml: a broadcast needs a root", "[msccl]") {
  const std::string good = support::chain_broadcast(3, 1, 2, true);
  CHECK(parse_program(good, "f.xml").root == 1);
  std::string none = support::direct_all_gather(2, 1, true);
  none.replace(none.find("allgather"), 9, "broadcast");
  CHECK(error_of(none) ==
        "f.xml: a broadcast must have one root, whose steps wait for no message at first; there "
        "are 2 such gpus");
}

TEST_CASE("msccl xml: a file damaged anywhere is refused with a line, or still a program",
          "[msccl]") {
  const std::uint64_t seed = 20240607;
  INFO("seed " << seed);
  Random random(seed);
  const std::vector<std::string> files{good(), support::fused_ring(3, true), support::all_pairs(3),
                                       support::direct_reduce_scatter(3, 2, false),
                                       support::chain_broadcast(3, 1, 2, false)};
  int refused = 0;
  int kept = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string text = files[random.below(files.size())];
    // Half of them only in their numbers, so that they get as far as the checks of the parts.
    const bool any_byte = i % 2 == 0;
    for (std::uint64_t n = 1 + random.below(3); n > 0;) {
      char& at = text[random.below(text.size())];
      if (!any_byte && (at < '0' || at > '9')) continue;
      at = static_cast<char>(any_byte ? random.below(256) : '0' + random.below(4));
      --n;
    }
    if (i % 50 == 0) text.resize(random.below(text.size()));
    INFO(text);
    try {
      const Program program = parse_program(text, "f.xml");
      const std::uint64_t count = random.below(20);
      schedule::verify(make_schedule(program, count), contract_of(program, count));
      parse_program(to_xml(program), "f.xml");
      ++kept;
    } catch (const ConfigError& error) {
      REQUIRE_THAT(error.what(), Catch::StartsWith("f.xml:"));
      ++refused;
    }
  }
  CHECK(refused > 1000);
  CHECK(kept > 100);
}

}  // namespace lockstep::msccl
