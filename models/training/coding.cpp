// SPDX-License-Identifier: Apache-2.0
#include "models/training/coding.h"

#include <algorithm>
#include <utility>

#include "models/base/errors.h"
#include "models/compression/steps.h"
#include "models/training/iteration.h"

namespace lockstep::training {

using collectives::Collective;
using compression::Codec;
using compression::Exchange;
using compression::Group;
using compression::Method;
using compression::Stage;
using compression::Tensor;
using schedule::After;
using schedule::ElementType;
using schedule::Fragment;
using schedule::Operator;
using schedule::Slice;
using schedule::Step;
using schedule::Verb;

namespace {

void append(const network::Parameter& parameter, const Codec& codec,
            std::vector<CodedGroup>& groups) {
  auto group = std::find_if(groups.begin(), groups.end(),
                            [&](const CodedGroup& other) { return other.group.codec == codec; });
  if (group == groups.end()) group = groups.insert(groups.end(), CodedGroup{{codec, {}}, {}});
  group->group.tensors.push_back(tensor_of(parameter));
  std::vector<Slice>& elements = group->elements;
  if (!elements.empty() && elements.back().end() == parameter.first)
    elements.back().count += parameter.count;
  else
    elements.push_back({kGradients, parameter.first, parameter.count});
}

}  // namespace

Tensor tensor_of(const network::Parameter& parameter) {
  const auto columns = static_cast<std::uint64_t>(parameter.shape.back());
  return parameter.is_weight() ? Tensor{parameter.count / columns, columns}
                               : Tensor{1, parameter.count};
}

std::vector<CodedGroup> coded_groups(const Job& job, const network::Network& network,
                                     const Bucket& bucket) {
  std::vector<CodedGroup> groups;
  if (job.compression.empty()) return groups;
  for (std::int32_t s = bucket.last_stage; s >= bucket.first_stage; --s) {
    const network::Layer& layer = network.first_layer(network.stages[static_cast<std::size_t>(s)]);
    const Codec wanted =
        compression::codec_for(job.compression, layer.name, network::to_string(layer.kind));
    for (const network::Parameter& parameter : layer.parameters)
      append(parameter, is_for(wanted, tensor_of(parameter)) ? wanted : Codec{}, groups);
  }
  if (groups.size() == 1 && groups.front().group.codec == Codec{}) return {};
  for (CodedGroup& group : groups)
    if (group.group.codec == Codec{}) group.group.codec = {Method::Float32};
  return groups;
}

std::int32_t most_groups(const Job& job) {
  std::vector<Codec> different;
  for (const compression::Rule& rule : job.compression)
    if (std::find(different.begin(), different.end(), rule.codec) == different.end())
      different.push_back(rule.codec);
  return static_cast<std::int32_t>(different.size()) + 1;
}

/// The fragments of one group, one after the other.
class Coding::Chain {
 public:
  Chain(Coding& coding, const CodedGroup& coded, std::int32_t bucket, std::vector<After> ready,
        std::uint8_t stream)
      : coding_(coding),
        job_(coding.job_),
        schedule_(coding.schedule_),
        bucket_(bucket),
        name_(std::to_string(bucket) + " " + name_of(coded.group.codec)),
        code_(static_cast<std::int32_t>(schedule_.codes.size())),
        after_(std::move(ready)),
        stream_(stream) {
    const std::uint64_t first = coded.elements.front().first;
    data_ = {kGradients, first, coded.elements.back().end() - first};
    schedule_.codes.push_back({name_, coded.elements});
  }

  std::vector<After> build(const std::vector<Stage>& stages) && {
    Slice from = data_;
    bool is_gathered = false;
    for (const Stage& stage : stages) {
      switch (stage.exchange) {
        case Exchange::Sum:
        case Exchange::Maximum:
          from = exchange_sums(stage, from);
          break;
        case Exchange::Gather:
          from = exchange_gathered(stage, from);
          is_gathered = true;
          break;
        case Exchange::Vote:
          from = exchange_votes(stage, from);
          break;
      }
    }
    code("decode", {.verb = Verb::Decode,
                    .combine = is_gathered ? Operator::Sum : Operator::Replace,
                    .from = from,
                    .into = data_});
    return after_;
  }

 private:
  Slice exchange_sums(const Stage& stage, const Slice& from) {
    const Slice data = coding_.allocate(stage.type, stage.count);
    code("encode", {.verb = Verb::Encode, .from = from, .into = data});
    const auto parts = static_cast<std::size_t>(job_.streams);
    std::vector<After> all;
    for (std::size_t part = 0; part < parts; ++part) {
      auto steps =
          collective(Collective::AllReduce, collectives::part_of(data, part, parts), stage.type,
                     static_cast<std::uint8_t>(stream_ + part * streams_of(job_.algorithm)));
      if (stage.exchange == Exchange::Maximum) steps = compression::make_maximum(std::move(steps));
      all.push_back(append("all-reduce", std::move(steps)));
    }
    after_ = all;
    return data;
  }

  Slice exchange_gathered(const Stage& stage, const Slice& from) {
    const Slice data =
        coding_.allocate(stage.type, stage.count * static_cast<std::uint64_t>(job_.ranks));
    code("encode", {.verb = Verb::Encode, .from = from, .into = data.part(0, stage.count)},
         stage.count);
    after_ = {append("all-gather", collective(Collective::AllGather, data, stage.type, stream_))};
    return data;
  }

  // Every rank gets all ranks' signs of its chunk, and encodes what most of them are.
  Slice exchange_votes(const Stage& stage, const Slice& from) {
    const std::uint64_t whole = stage.count * static_cast<std::uint64_t>(job_.ranks);
    const Slice own = coding_.allocate(stage.type, whole);
    const Slice votes = coding_.allocate(stage.type, whole);
    const Slice won = coding_.allocate(stage.type, whole);
    code("encode", {.verb = Verb::Encode, .from = from, .into = own});
    after_ = {append("all-to-all", compression::make_all_to_all(job_.ranks, own, votes, stream_))};
    code("vote",
         {.verb = Verb::Encode,
          .combine = Operator::Sum,
          .from = votes,
          .into = won.part(0, stage.count)},
         stage.count);
    after_ = {append("all-gather", collective(Collective::AllGather, won, stage.type, stream_))};
    return won;
  }

  void code(const char* what, Step step, std::uint64_t stride = 0) {
    step.target = code_;
    after_ = {append(what, compression::make_coding(step, stride))};
  }

  std::shared_ptr<const schedule::StepSource> collective(Collective kind, const Slice& data,
                                                         ElementType type, std::uint8_t stream) {
    const std::uint64_t need = kind == Collective::AllReduce
                                   ? collectives::scratch_elements(job_.algorithm, data.count)
                                   : 0;
    return collectives::make_steps(job_.algorithm,
                                   {.collective = kind,
                                    .ranks = job_.ranks,
                                    .data = data,
                                    .scratch = coding_.allocate(type, need),
                                    .stream = stream,
                                    .segment_elements = job_.segment_bytes / bytes_of(type),
                                    .groups = coding_.ranks_of_groups_,
                                    .servers = job_.servers});
  }

  After append(const std::string& what, std::shared_ptr<const schedule::StepSource> steps) {
    schedule_.fragments.push_back({.name = what + " " + name_,
                                   .bucket = bucket_,
                                   .steps = std::move(steps),
                                   .after = after_});
    return {static_cast<std::uint32_t>(schedule_.fragments.size()) - 1, After::kWhole};
  }

  Coding& coding_;
  const Job& job_;
  schedule::Schedule& schedule_;
  std::int32_t bucket_;
  std::string name_;
  std::int32_t code_;
  std::vector<After> after_;
  std::uint8_t stream_;
  Slice data_;
};

Coding::Coding(const Job& job, const std::vector<std::int32_t>& ranks_of_groups,
               std::uint32_t first_buffer, schedule::Schedule& schedule)
    : job_(job),
      ranks_of_groups_(ranks_of_groups),
      first_buffer_(first_buffer),
      schedule_(schedule) {}

std::vector<After> Coding::add(const CodedGroup& coded, std::int32_t bucket,
                               std::vector<After> ready, std::uint8_t stream) {
  return Chain(*this, coded, bucket, std::move(ready), stream)
      .build(stages_of(coded.group, job_.ranks));
}

Slice Coding::allocate(ElementType type, std::uint64_t count) {
  auto room = std::find_if(rooms_.begin(), rooms_.end(),
                           [&](const Room& other) { return other.type == type; });
  if (room == rooms_.end()) room = rooms_.insert(rooms_.end(), Room{type, 0});
  const std::uint64_t line = 64 / bytes_of(type);  // what is apart is not on one cache line
  const Slice slice{first_buffer_ + static_cast<std::uint32_t>(room - rooms_.begin()), room->count,
                    count};
  room->count += (count + line - 1) / line * line;
  return slice;
}

void Coding::declare_buffers() {
  LOCKSTEP_CHECK(rooms_.empty() || schedule_.buffers.size() == first_buffer_,
                 "codes have other buffers than they were given");
  for (const Room& room : rooms_)
    schedule_.buffers.push_back(
        {.name = "codes, " + name_of(room.type), .count = room.count, .type = room.type});
}

}  // namespace lockstep::training
