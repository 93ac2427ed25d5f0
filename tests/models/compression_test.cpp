// SPDX-License-Identifier: Apache-2.0
// Codecs as data, and the proof of iterations in which gradients travel encoded.
#include <algorithm>
#include <catch2/catch.hpp>

#include "models/base/errors.h"
#include "models/compression/rules.h"
#include "models/schedule/facts.h"
#include "models/schedule/schedule_json.h"
#include "models/training/coding.h"
#include "models/training/iteration.h"

using namespace lockstep;
using compression::Codec;
using compression::Group;
using compression::Method;
using training::Job;

namespace {

Codec codec(const std::string& text) {
  return compression::parse_codec(text, "test");
}

std::string proof_of(const training::Iteration& iteration) {
  std::string text;
  for (const training::Iteration::Claim& claim : iteration.claims())
    for (const schedule::Violation& violation : schedule::verify(claim.schedule, claim.contract))
      text += violation.message + "\n";
  return text;
}

Job job_with(const std::string& rules, std::int32_t ranks) {
  Job job;
  job.network = "lenet5";
  job.ranks = ranks;
  job.bucket_bytes = 1000;
  job.compression = compression::parse_rules(rules, "test");
  return job;
}

training::Iteration iteration_of(const Job& job) {
  return training::make_iteration(job, network::load_network(job.network));
}

std::string error_of(const std::string& rules) {
  try {
    compression::parse_rules(rules, "--compression");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("compression: texts of codecs and rules come back", "[compression]") {
  for (const Method method : compression::all_methods())
    CHECK(name_of(codec(name_of(codec(name_of(method))))) == name_of(codec(name_of(method))));
  CHECK(name_of(codec("top-k")) == "top-k:0.01");
  CHECK(name_of(codec("powersgd:4")) == "powersgd:4");
  for (const char* text : {"none", "fp16", "dense=powersgd:2,conv*=none,fp16", "fc1=qsgd:8"})
    CHECK(name_of(compression::parse_rules(text, "test")) == text);
}

TEST_CASE("compression: wrong texts say what is expected", "[compression]") {
  CHECK(error_of("top").find("expected one of none fp32 fp16") != std::string::npos);
  CHECK(error_of("top-kk").find("did you mean \"top-k\"") != std::string::npos);
  CHECK(error_of("fp16:3").find("fp16 has no parameter") != std::string::npos);
  CHECK(error_of("top-k:0").find("the share that is sent of top-k must be a number from") !=
        std::string::npos);
  CHECK(error_of("qsgd:2.5").find("must be a whole number from 2 to 8") != std::string::npos);
  CHECK(error_of("top-k:0.1x").find("is \"0.1x\"") != std::string::npos);
  CHECK(error_of("fp16,dense=bf16").find("can never hold") != std::string::npos);
  CHECK(error_of("=fp16").find("expected the name of a layer") != std::string::npos);
  CHECK(error_of("").find("unknown codec \"\"") != std::string::npos);
}

TEST_CASE("compression: the first rule that matches a layer's name or kind holds",
          "[compression]") {
  const compression::Rules rules =
      compression::parse_rules("dense2=none,dense*=powersgd:2,conv*1=fp16", "test");
  CHECK(name_of(codec_for(rules, "dense2", "dense")) == "none");
  CHECK(name_of(codec_for(rules, "dense1", "dense")) == "powersgd:2");
  CHECK(name_of(codec_for(rules, "last", "dense")) == "powersgd:2");
  CHECK(name_of(codec_for(rules, "conv11", "convolution")) == "fp16");
  CHECK(name_of(codec_for(rules, "conv2", "convolution")) == "none");
}

TEST_CASE("compression: bytes of codes, by hand", "[compression]") {
  // 10 × 6 and 3 × 5: 75 elements, 8 + 2 bytes of bits.
  const std::vector<compression::Tensor> tensors{{10, 6}, {3, 5}};
  const auto bytes = [&](const std::string& name, std::size_t stage = 0, std::int32_t ranks = 4) {
    const compression::Stage one =
        compression::stages_of(Group{codec(name), tensors}, ranks).at(stage);
    return one.count * bytes_of(one.type);
  };
  CHECK(bytes("fp32") == 300);
  CHECK(bytes("fp16") == 150);
  CHECK(bytes("bf16") == 150);
  CHECK(bytes("top-k:0.1") == 8 * 8);          // ⌈7.5⌉ values with their indices
  CHECK(bytes("random-k:0.1") == 8 * 4);       // without
  CHECK(bytes("ef-sign") == 11 * 4 + 10 + 2);  // scales, bits, to a multiple of four
  CHECK(bytes("sign-vote") == 3);              // ⌈⌈75 / 8⌉ / 4⌉ of each chunk
  CHECK(bytes("one-bit") == 2 * 11 * 4 + 10 + 2);
  CHECK(bytes("qsgd:4") == 4 + 4 * 10);
  CHECK(bytes("terngrad") == 2 * 4 + 2 * 10);
  CHECK(bytes("terngrad-shared") == 2 * 4);
  CHECK(bytes("terngrad-shared", 1) == 75);
  CHECK(bytes("powersgd:2") == 2 * 13 * 4);
  CHECK(bytes("powersgd:2", 1) == 2 * 11 * 4);
}

TEST_CASE("compression: an iteration with any codec is proven", "[compression]") {
  for (const Method method : compression::all_methods())
    for (const std::int32_t ranks : {1, 2, 3, 4, 5, 8})
      for (const collectives::Algorithm algorithm : collectives::all_algorithms()) {
        if (compression::gathers({method}) &&
            !is_legal(algorithm, collectives::Collective::AllGather))
          continue;
        Job job = job_with(name_of(codec(name_of(method))), ranks);
        job.algorithm = algorithm;
        job.streams = 1 + ranks % 2;
        job.segment_bytes = 4096;
        CAPTURE(name_of(method), ranks, collectives::name_of(algorithm));
        CHECK(proof_of(iteration_of(job)) == "");
      }
}

TEST_CASE("compression: codecs by layer are proven, and biases go by themselves", "[compression]") {
  Job job = job_with("dense1=powersgd:2,dense*=top-k:0.1,conv*=fp16", 3);
  for (const std::uint64_t bucket_bytes : {std::uint64_t{1}, std::uint64_t{1} << 30}) {
    job.bucket_bytes = bucket_bytes;
    CHECK(proof_of(iteration_of(job)) == "");
  }
  // One bucket: PowerSGD of dense1's weights, top-k of the other dense layers', fp16 of all of the
  // convolutions, and the dense layers' biases as they are.
  const training::Iteration iteration = iteration_of(job);
  std::vector<std::string> names;
  for (const Group& group : iteration.codes)
    names.push_back(name_of(group.codec));
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"fp16", "fp32", "powersgd:2", "top-k:0.1"});
  std::uint64_t elements = 0;
  for (const Group& group : iteration.codes)
    elements += group.elements();
  CHECK(elements == network::load_network("lenet5").flat_count);
}

TEST_CASE("compression: bytes on the wire follow from those of codes", "[compression]") {
  // One bucket and three ranks in a ring: gathering sends two codes of each rank, summing by
  // ring 2 (p − 1) of p chunks.
  const std::uint64_t weights = 25 * 6 + 150 * 16 + 256 * 120 + 120 * 84 + 84 * 10;
  const std::uint64_t biases = 6 + 16 + 120 + 84 + 10;
  Job job = job_with("top-k:0.01", 3);
  job.bucket_bytes = std::uint64_t{1} << 30;
  const std::uint64_t kept = compression::kept_of(codec("top-k:0.01"), weights);
  std::uint64_t sent = 0;
  const training::Iteration iteration = iteration_of(job);
  for (Rank rank = 0; rank < 3; ++rank)
    sent += schedule::rank_facts(iteration.schedule, rank).bytes_sent;
  CHECK(sent == 3 * 2 * 8 * kept + 2 * 2 * 4 * biases);
}

namespace {

/// The fragment whose name begins so.
schedule::Fragment& fragment(training::Iteration& iteration, const std::string& name) {
  for (schedule::Fragment& fragment : iteration.schedule.fragments)
    if (fragment.name.starts_with(name)) return fragment;
  FAIL("no fragment " + name);
  return iteration.schedule.fragments.front();
}

/// The fragment's steps, changed and written out.
template <typename Change>
void change(training::Iteration& iteration, const std::string& name, const Change& change_step) {
  schedule::Fragment& changed = fragment(iteration, name);
  std::vector<std::vector<schedule::Step>> lists;
  for (Rank rank = 0; rank < iteration.schedule.ranks; ++rank) {
    lists.push_back(steps_of(changed, rank));
    for (schedule::Step& step : lists.back())
      change_step(step);
  }
  changed.steps = std::make_shared<schedule::StepList>(lists);
}

}  // namespace

TEST_CASE("compression: the proof finds codes that are misused", "[compression]") {
  const auto faults = [](const std::string& rules, const std::string& name,
                         const auto& change_step) {
    training::Iteration iteration = iteration_of(job_with(rules, 3));
    REQUIRE(proof_of(iteration) == "");
    change(iteration, name, change_step);
    return proof_of(iteration);
  };
  using schedule::Operator;
  using schedule::Step;
  // A rank encodes into another's place.
  CHECK(faults("top-k", "encode 0", [](Step& step) { step.into.first = 0; }) != "");
  // Only some of what was gathered is decoded; a sum of codes is taken for gathered ones.
  CHECK(faults("top-k", "decode 0", [](Step& step) {
          step.from.count /= 3;
          step.from.count *= 3;
          step.from.count -= 3;
        }) != "");
  CHECK(faults("fp16", "decode 0", [](Step& step) {
          step.from.count = step.from.count / 3 * 3;
          step.combine = Operator::Sum;
        }).find("is no whole code") != std::string::npos);
  // The gathered codes are taken for one that has been added.
  CHECK(faults("top-k", "decode 0", [](Step& step) {
          step.combine = Operator::Replace;
        }).find("is no whole code") != std::string::npos);
  // Another code is decoded.
  CHECK(faults("fp16", "decode 0", [](Step& step) { step.target = 1; }) != "");
  // Nothing is exchanged.
  CHECK(faults("fp16", "all-reduce 0", [](Step& step) { step = {}; }).find("lacks rank") !=
        std::string::npos);
  // Bytes are added.
  CHECK(faults("top-k", "all-gather 0", [](Step& step) {
          if (step.verb == schedule::Verb::Recv) step.combine = Operator::Sum;
        }).find("adds bytes") != std::string::npos);
  CHECK(faults("fp16", "encode 0", [](Step& step) {
          step.target = 99;
        }).find("there is no code 99") != std::string::npos);
}

TEST_CASE("compression: the proof finds what does not wait for a code", "[compression]") {
  for (const char* name : {"encode 0", "all-gather 0", "decode 0"}) {
    training::Iteration iteration = iteration_of(job_with("ef-sign", 3));
    fragment(iteration, name).after.clear();
    CAPTURE(name);
    CHECK(proof_of(iteration) != "");
  }
}

TEST_CASE("compression: a schedule with codes comes back from JSON", "[compression]") {
  const training::Iteration iteration = iteration_of(job_with("dense*=sign-vote,fp16", 3));
  const std::string text = to_json(iteration.schedule);
  const schedule::Schedule back = schedule::parse_schedule(text, "test.json");
  CHECK(back.codes == iteration.schedule.codes);
  CHECK(to_json(back) == text);
  CHECK(schedule::verify(back, iteration.claims().front().contract).empty());
}
