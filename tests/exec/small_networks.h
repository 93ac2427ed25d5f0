// SPDX-License-Identifier: Apache-2.0
// Small networks, written down by their layers, and one pass forward and back through them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "exec/kernels/model.h"
#include "models/base/errors.h"
#include "models/base/random.h"
#include "models/network/network.h"

namespace lockstep::exec {

inline network::Network make_network(int height, int width, int channels,
                                     const std::string& layers) {
  const std::string text = R"({"name":"n","input":{"height":)" + std::to_string(height) +
                           R"(,"width":)" + std::to_string(width) + R"(,"channels":)" +
                           std::to_string(channels) + R"(},"classes":5,"layers":[)" + layers +
                           R"({"kind":"dense","features":5}]})";
  return network::parse_network(text, "test");
}

inline std::string convolution(int channels, int kernel, int stride, int padding) {
  return R"({"kind":"convolution","channels":)" + std::to_string(channels) + R"(,"kernel":)" +
         std::to_string(kernel) + R"(,"stride":)" + std::to_string(stride) + R"(,"padding":)" +
         std::to_string(padding) + "},";
}

inline std::string pool(int kernel, int stride) {
  return R"({"kind":"max-pool","kernel":)" + std::to_string(kernel) + R"(,"stride":)" +
         std::to_string(stride) + "},";
}

inline std::string dense(int features) {
  return R"({"kind":"dense","features":)" + std::to_string(features) + "},";
}

inline const std::string kRelu = R"({"kind":"relu"},)";

inline std::string kind(const std::string& kind, const std::string& more = "") {
  return R"({"kind":")" + kind + "\"" + (more.empty() ? "" : "," + more) + "},";
}

inline const std::string kNorm = kind("batch-norm");

inline const std::string kPadded = R"("kernel":3,"stride":2,"padding":1)";

inline std::string convolution_of_groups(int channels, int groups) {
  return kind("convolution", R"("channels":)" + std::to_string(channels) +
                                 R"(,"kernel":3,"padding":1,"stride":1,"groups":)" +
                                 std::to_string(groups));
}

/// The same with the binary loss of one score.
inline network::Network with_sigmoid(network::Network network) {
  network.classes = 2;
  network.loss = network::Loss::SigmoidCrossEntropy;
  network.layers.back().output.channels = 1;
  LOCKSTEP_CHECK(!network::infer(network), network.name);
  return network;
}

/// A residual block: two convolutions and what went into them, by a 1×1 convolution if it changes
/// its shape.
inline std::string block(const std::string& from, const std::string& name, int channels,
                         int stride) {
  const auto grown = [&](int kernel, int step) {
    return R"("channels":)" + std::to_string(channels) + R"(,"bias":false,"kernel":)" +
           std::to_string(kernel) + R"(,"stride":)" + std::to_string(step) + R"(,"padding":)" +
           std::to_string(kernel / 2);
  };
  const bool changes = stride > 1;
  std::string text;
  if (changes)
    text += kind("convolution", grown(1, stride) + R"(,"from":")" + from + "\"") +
            kind("batch-norm", R"("name":"short )" + name + "\"");
  text += kind("convolution", grown(3, stride) + R"(,"from":")" + from + "\"") + kNorm + kRelu;
  text += kind("convolution", grown(3, 1)) + kNorm;
  text += kind("add", R"("with":")" + (changes ? "short " + name : from) + "\"");
  return text + kind("relu", R"("name":")" + name + "\"");
}

/// Images in ±1 and labels.
struct Samples {
  Samples(const network::Network& network, int count, std::uint64_t seed)
      : images(network.input.elements() * static_cast<std::size_t>(count)),
        labels(static_cast<std::size_t>(count)) {
    Random random(seed, 1);
    for (float& value : images)
      value = static_cast<float>(2 * random.uniform() - 1);
    for (std::int32_t& label : labels)
      label = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(network.classes)));
  }

  std::vector<float> images;
  std::vector<std::int32_t> labels;
};

inline constexpr DropoutDraw kDraw{.seed = 5, .iteration = 3, .first_image = 10};

/// One pass forward and back; returns the loss. `first`: of the images, in the whole batch.
inline double run(Model& model, const network::Network& network, const float* images,
                  const std::int32_t* labels, int count, double scale, std::uint64_t first = 0) {
  model.bind({.images = images,
              .labels = labels,
              .count = count,
              .seed = kDraw.seed,
              .iteration = kDraw.iteration,
              .first_image = kDraw.first_image + first});
  const int stages = static_cast<int>(network.stages.size());
  const auto normalises = [&](int stage) {
    return network.normalises(network.stages[static_cast<std::size_t>(stage)]);
  };
  for (int stage = 0; stage < stages; ++stage) {
    if (normalises(stage)) model.sums(stage);
    model.forward(stage);
  }
  const double loss = model.loss(scale);
  for (int stage = stages; stage-- > 0;) {
    if (!network.has_backward(network.stages[static_cast<std::size_t>(stage)])) continue;
    if (normalises(stage)) model.gradient_sums(stage);
    model.backward(stage);
  }
  return loss;
}

inline double run(Model& model, const network::Network& network, const Samples& batch,
                  double scale) {
  return run(model, network, batch.images.data(), batch.labels.data(),
             static_cast<int>(batch.labels.size()), scale);
}

}  // namespace lockstep::exec
