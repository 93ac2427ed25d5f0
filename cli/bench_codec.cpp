// SPDX-License-Identifier: Apache-2.0
// lockstep bench codec: how fast codecs are, how small their codes, and how far they err, on the
// gradients of a network.
#include <cstdio>
#include <iostream>
#include <sstream>

#include "cli/bench_codec_json.h"
#include "cli/codec_list.h"
#include "cli/command_line.h"
#include "cli/prediction.h"
#include "exec/calibration/codec_timing.h"
#include "exec/calibration/row_timing.h"
#include "exec/training/replica.h"
#include "models/base/errors.h"
#include "models/base/units.h"
#include "models/training/coding.h"
#include "models/training/iteration.h"

namespace lockstep::cli {

namespace {

struct Gradients {
  network::Network network;
  std::vector<float> values;  // flat
};

/// After some iterations of one rank, on the images that there are, else on noise.
Gradients train_for_gradients(const options::variables_map& values) {
  training::Job job;
  job.network = values["network"].as<std::string>();
  job.batch = static_cast<std::int32_t>(whole_number(values, "batch", 1, 1 << 16));
  Gradients gradients{network::load_network(job.network), {}};
  const network::Shape& input = gradients.network.input;
  const bool has_images = input == network::Shape{28, 28, 1};
  const exec::Dataset data = has_images ? exec::open_dataset(job, input, false)
                                        : exec::noise_images(gradients.network, 4 * job.batch);
  const training::Iteration iteration = training::make_iteration(job, gradients.network);
  exec::Replica replica(job, gradients.network, iteration, data, 0);
  const auto passes = static_cast<std::int32_t>(whole_number(values, "iterations", 1, 1 << 20));
  for (std::int32_t pass = 0; pass < passes; ++pass)
    for (std::size_t row = 0; row < iteration.works.size(); ++row)
      replica.compute(static_cast<std::int32_t>(row), pass);
  const std::span<const float> flat = replica.gradients();
  gradients.values.assign(flat.begin(), flat.end());
  return gradients;
}

/// What the codec is for, tensor by tensor, and its gradients.
compression::Group select(const Gradients& all, const compression::Codec& codec,
                          std::vector<float>& chosen) {
  compression::Group group{codec, {}};
  chosen.clear();
  for (const network::Layer& layer : all.network.layers)
    for (const network::Parameter& parameter : layer.parameters) {
      const compression::Tensor tensor = training::tensor_of(parameter);
      if (!is_for(codec, tensor)) continue;
      group.tensors.push_back(tensor);
      const auto first = all.values.begin() + static_cast<std::ptrdiff_t>(parameter.first);
      chosen.insert(chosen.end(), first, first + static_cast<std::ptrdiff_t>(parameter.count));
    }
  return group;
}

std::uint64_t bytes_of_code(const compression::Group& group, std::int32_t ranks) {
  std::uint64_t bytes = 0;
  for (const compression::Stage& stage : stages_of(group, ranks))
    bytes +=
        stage.count * bytes_of(stage.type) *
        (stage.exchange == compression::Exchange::Vote ? static_cast<std::uint64_t>(ranks) : 1);
  return bytes;
}

std::string rate(double bytes, double seconds) {
  if (seconds <= 0) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", bytes / seconds / 1e9);
  return text;
}

void print(const CodecBench& bench) {
  std::printf(
      "%s, %lld gradients after %d iterations of batch %d; GB/s of fp32 gradients, one core\n",
      bench.network.c_str(), static_cast<long long>(bench.gradients), bench.iterations,
      bench.batch);
  std::printf("%-16s %10s %10s %8s %8s %8s %8s %8s %8s\n", "codec", "elements", "bytes", "ratio",
              "encode", "next", "decode", "add", "error");
  for (const CodecRow& row : bench.rows) {
    const double bytes = 4 * static_cast<double>(row.elements);
    std::printf("%-16s %10llu %10llu %8.1f %8s %8s %8s %8s %8.4f\n", row.codec.c_str(),
                static_cast<unsigned long long>(row.elements),
                static_cast<unsigned long long>(row.code_bytes),
                bytes / static_cast<double>(row.code_bytes), rate(bytes, row.times.encode).c_str(),
                rate(bytes, row.times.encode_next).c_str(), rate(bytes, row.times.decode).c_str(),
                rate(bytes, row.times.decode_another).c_str(), row.times.relative_error);
  }
}

}  // namespace

int run_bench_codec(const Arguments& arguments) {
  options::options_description flags(
      "lockstep bench codec [CODEC…] [flags]\n\n"
      "Trains a network for some iterations and encodes its gradients: bytes of a rank's code,\n"
      "how many times fewer that is, GB/s of fp32 gradients on one core, out of the caches, for\n"
      "encoding (and the next stage), decoding, and decoding another rank's code on top; and what\n"
      "the first code errs, |decoded - gradients| / |gradients|. Without names: all "
      "codecs.\nFlags");
  auto add = flags.add_options();
  add("help", "this text");
  add("network", options::value<std::string>()->default_value("fashion-cnn"),
      "of the zoo or a JSON file; of 28x28x1 pixels on Debian's Fashion-MNIST, else on noise");
  add("batch", options::value<std::string>()->default_value("32"), "images per iteration");
  add("iterations", options::value<std::string>()->default_value("20"),
      "before the gradients count");
  add("seconds", options::value<std::string>()->default_value("0.3"), "for each codec");
  add("out", options::value<std::string>(), "write the figures as JSON");
  options::options_description all;
  all.add(flags);
  all.add_options()("codec", options::value<std::vector<std::string>>());
  const options::variables_map values = parse(all, arguments, "codec");
  if (values.count("help")) {
    std::cout << flags;
    return kFine;
  }
  check_outputs(values, {"out"});
  const std::vector<compression::Codec> codecs =
      values.count("codec")
          ? codec_list(values["codec"].as<std::vector<std::string>>(), "bench codec")
          : usual_codecs();
  const double seconds = number(values, "seconds", 1e-3, 1e3);
  const Gradients gradients = train_for_gradients(values);
  CodecBench bench{
      .network = gradients.network.name,
      .gradients = static_cast<std::int64_t>(gradients.values.size()),
      .iterations = static_cast<std::int32_t>(whole_number(values, "iterations", 1, 1 << 20)),
      .batch = static_cast<std::int32_t>(whole_number(values, "batch", 1, 1 << 16)),
      .rows = {}};
  std::vector<float> chosen;
  constexpr std::int32_t kRanks = 4;  // of a vote
  for (const compression::Codec& codec : codecs) {
    const compression::Group group = select(gradients, codec, chosen);
    if (group.tensors.empty()) {
      std::fprintf(stderr, "caution: %s is for no tensor of %s\n", name_of(codec).c_str(),
                   gradients.network.name.c_str());
      continue;
    }
    bench.rows.push_back({.codec = name_of(codec),
                          .elements = group.elements(),
                          .code_bytes = bytes_of_code(group, kRanks),
                          .times = exec::time_codec(group, chosen, kRanks, seconds)});
  }
  print(bench);
  if (values.count("out"))
    results::write_file(values["out"].as<std::string>(), to_json(bench, provenance(1)));
  return kFine;
}

}  // namespace lockstep::cli
