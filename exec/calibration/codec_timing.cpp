// SPDX-License-Identifier: Apache-2.0
#include "exec/calibration/codec_timing.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "exec/codecs/codec.h"
#include "exec/transport/clock.h"
#include "models/base/random.h"
#include "models/cost/fit.h"

namespace lockstep::exec {

namespace {

using compression::Exchange;
using compression::Group;
using compression::Stage;

/// Reads more than the caches hold.
class Eviction {
 public:
  Eviction() : memory_(std::size_t{48} << 20, 1) {}
  void run() {
    for (std::size_t i = 0; i < memory_.size(); i += 64)
      memory_[i] = static_cast<std::uint8_t>(memory_[i] + 1);
  }

 private:
  std::vector<std::uint8_t> memory_;
};

template <typename Function>
double seconds_of(const Function& function) {
  const std::int64_t start = steady_ns();
  function();
  return 1e-9 * static_cast<double>(steady_ns() - start);
}

/// One code of a rank, stage after stage.
class Trial {
 public:
  Trial(const Group& group, std::int32_t ranks)
      : stages_(stages_of(group, ranks)),
        ranks_(static_cast<std::size_t>(ranks)),
        codec_(make_codec(group, {.ranks = ranks})),
        decoded_(group.elements()) {
    const bool votes = stages_.front().exchange == Exchange::Vote;
    for (const Stage& stage : stages_)
      codes_.emplace_back(stage.count * bytes_of(stage.type) * (votes ? ranks_ : 1));
    // A vote has a second stage: one chunk of every rank becomes one chunk that won.
    if (votes) won_.resize(codes_.front().size());
  }

  void run(std::span<const float> gradients, std::int32_t iteration, Eviction& eviction,
           CodecTimes& times) {
    const auto time = [&](const auto& function) {
      eviction.run();
      return seconds_of(function);
    };
    times.encode = time([&] { codec_->encode(gradients, iteration, codes_.front()); });
    if (!won_.empty())
      times.encode_next = time([&] {
        codec_->encode_next(codes_.front(), std::span(won_).first(won_.size() / ranks_));
      });
    else if (codes_.size() > 1)
      times.encode_next = time([&] { codec_->encode_next(codes_[0], codes_[1]); });
    const std::span<const std::byte> code = won_.empty() ? codes_.back() : codes_.front();
    times.decode = time([&] { codec_->decode(code, decoded_, false); });
    if (iteration == 0) times.relative_error = error(gradients);
    if (stages_.front().exchange == Exchange::Gather)
      times.decode_another = time([&] { codec_->decode(code, decoded_, true); });
  }

 private:
  double error(std::span<const float> gradients) const {
    double missed = 0;
    double all = 0;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      missed += std::pow(double{decoded_[i]} - double{gradients[i]}, 2);
      all += double{gradients[i]} * double{gradients[i]};
    }
    return all > 0 ? std::sqrt(missed / all) : 0;
  }

  std::vector<Stage> stages_;
  std::size_t ranks_;
  std::unique_ptr<Codec> codec_;
  std::vector<std::vector<std::byte>> codes_;
  std::vector<std::byte> won_;
  std::vector<float> decoded_;
};

}  // namespace

CodecTimes time_codec(const Group& group, std::span<const float> gradients, std::int32_t ranks,
                      double seconds) {
  Eviction eviction;
  Trial trial(group, ranks);
  std::vector<CodecTimes> all;
  const std::int64_t start = steady_ns();
  const auto limit = static_cast<std::int64_t>(1e9 * seconds);
  constexpr std::size_t kFewest = 5;
  for (std::int32_t i = 0; all.size() < kFewest || steady_ns() - start < limit; ++i)
    trial.run(gradients, i, eviction, all.emplace_back());
  CodecTimes result;
  result.relative_error = all.front().relative_error;
  for (double CodecTimes::*part : {&CodecTimes::encode, &CodecTimes::encode_next,
                                   &CodecTimes::decode, &CodecTimes::decode_another}) {
    std::vector<double> values;
    for (const CodecTimes& times : all)
      values.push_back(times.*part);
    result.*part = cost::median(std::move(values));
  }
  return result;
}

void add_codecs(cost::Machine& machine, const std::vector<compression::Codec>& codecs,
                const std::function<void(const std::string&)>& say) {
  constexpr std::uint64_t kColumns = 128;  // of a matrix, as dense layers have
  constexpr std::uint64_t kRows[] = {8, 64, 512, 2048, 8192, 32768};
  constexpr double kSeconds = 0.1;  // for each size
  struct Part {
    const char* direction;
    double CodecTimes::*seconds;
    std::vector<cost::Sample> samples{};
  };
  for (const compression::Codec& codec : codecs) {
    const std::string signature = cost::codec_signature(name_of(codec));
    say(signature);
    std::vector<Part> parts{{cost::kEncode, &CodecTimes::encode},
                            {cost::kEncodeNext, &CodecTimes::encode_next},
                            {cost::kDecode, &CodecTimes::decode},
                            {cost::kDecodeAnother, &CodecTimes::decode_another}};
    for (const std::uint64_t rows : kRows) {
      const Group group{codec, {{rows, kColumns}}};
      Random random(rows);
      std::vector<float> gradients(group.elements());
      for (float& value : gradients)
        value = static_cast<float>(random.normal());
      const CodecTimes times = time_codec(group, gradients, 4, kSeconds);
      for (Part& part : parts)
        part.samples.push_back({static_cast<double>(group.elements()), times.*part.seconds});
    }
    for (Part& part : parts) {
      if (part.samples.back().seconds == 0) continue;
      std::erase_if(machine.layers, [&](const cost::LayerCost& layer) {
        return layer.signature == signature && layer.direction == part.direction;
      });
      const bool encodes = part.direction == cost::kEncode || part.direction == cost::kEncodeNext;
      cost::LayerCost row{.signature = signature, .direction = part.direction};
      row.seconds = cost::fit_line(part.samples);
      row.seconds.relative_residual = cost::interpolation_residual(part.samples);
      row.memory_bytes_per_unit =
          (encodes ? efforts_of(codec).encode : efforts_of(codec).decode).bytes_per_element;
      row.samples = std::move(part.samples);
      machine.layers.push_back(std::move(row));
    }
  }
}

}  // namespace lockstep::exec
