// SPDX-License-Identifier: Apache-2.0
// The arithmetic of networks against tensors that PyTorch made (reference/make.py): losses, scores,
// gradients, running statistics, and the scores of testing.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "exec/training/checkpoint.h"
#include "exec/training/safetensors_json.h"
#include "exec/training/tensor_order.h"
#include "tests/exec/small_networks.h"

using namespace lockstep;
using namespace lockstep::exec;

namespace {

/// A file's tensors, and the same in our order.
class Reference {
 public:
  explicit Reference(const std::string& name)
      : path(std::string(LOCKSTEP_REFERENCE_FOLDER) + "/" + name + ".safetensors"),
        reader_(path),
        network(network::parse_network(reader_.metadata().at("network"), path)) {}

  std::vector<float> read(const std::string& name) {
    return reader_.read(name, reader_.find(name)->shape);
  }

  /// Tensor `tensor` of layer `layer`, under the name prefix + its own.
  std::vector<float> read(const std::string& prefix, std::size_t layer, std::size_t tensor) {
    const network::Parameter& parameter = network.layers[layer].parameters[tensor];
    const TensorOrder order(network, layer, tensor);
    const std::vector<float> in_file = reader_.read(prefix + parameter.name, order.file_shape());
    std::vector<float> ours(in_file.size());
    order.for_each([&](std::uint64_t at, std::uint64_t from) { ours[at] = in_file[from]; });
    return ours;
  }

  /// Images are channel by channel in the file.
  std::vector<float> images() {
    const std::vector<float> in_file = read("images");
    const auto channels = static_cast<std::size_t>(network.input.channels);
    const std::size_t positions = network.input.elements() / channels;
    std::vector<float> ours(in_file.size());
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const std::size_t image = i / (channels * positions);
      const std::size_t position = i / channels % positions;
      ours[i] = in_file[(image * channels + i % channels) * positions + position];
    }
    return ours;
  }

  std::vector<std::int32_t> labels() {
    std::vector<std::int32_t> labels;
    for (const float label : read("labels"))
      labels.push_back(static_cast<std::int32_t>(label));
    return labels;
  }

  std::string path;

 private:
  SafetensorsReader reader_;

 public:
  network::Network network;
};

/// Equal but for single precision's rounding, seen from the largest element.
void check_close(std::span<const float> actual, const std::vector<float>& expected) {
  REQUIRE(actual.size() == expected.size());
  float largest = 0.01f, error = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    const float difference = std::abs(actual[i] - expected[i]);
    if (!(difference <= error)) error = difference;
  }
  CHECK(error <= 1e-5f * largest);
}

std::vector<float> copy(std::span<const float> values) {
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("reference: loss, scores and gradients are PyTorch's", "[reference]") {
  for (const std::string name : {"convolutions", "pools", "residual", "binary"}) {
    INFO(name);
    Reference reference(name);
    const network::Network& network = reference.network;
    const std::vector<float> images = reference.images();
    const std::vector<std::int32_t> labels = reference.labels();
    const int batch = static_cast<int>(labels.size());
    Model model(network, batch, 2);
    load_parameters(reference.path, network, model.parameters());
    const double loss =
        run(model, network, images.data(), labels.data(), batch, 1.0 / batch) / batch;
    CHECK(loss == Approx(reference.read("loss")[0]).epsilon(1e-6));
    check_close(model.scores(), reference.read("scores"));
    for (std::size_t l = 0; l < network.layers.size(); ++l)
      for (std::size_t t = 0; t < network.layers[l].parameters.size(); ++t) {
        const network::Parameter& parameter = network.layers[l].parameters[t];
        INFO(parameter.name);
        std::vector<float> ours = copy(model.gradients().subspan(parameter.first, parameter.count));
        if (parameter.learnt) {
          check_close(ours, reference.read("gradient.", l, t));
          continue;
        }
        // PyTorch moves running statistics by a tenth towards the batch's.
        const auto before = model.parameters().subspan(parameter.first, parameter.count);
        for (std::size_t i = 0; i < ours.size(); ++i)
          ours[i] = 0.9f * before[i] + 0.1f * ours[i];
        check_close(ours, reference.read("after.", l, t));
      }
  }
}

TEST_CASE("reference: in testing, running statistics give PyTorch's scores", "[reference]") {
  for (const std::string name : {"convolutions", "residual", "binary"}) {
    INFO(name);
    Reference reference(name);
    const std::vector<float> images = reference.images();
    const std::vector<std::int32_t> labels = reference.labels();
    const int batch = static_cast<int>(labels.size());
    for (const Purpose purpose : {Purpose::Training, Purpose::Testing}) {
      Model model(reference.network, batch, 1, purpose);
      load_parameters(reference.path, reference.network, model.parameters());
      model.count_correct(images.data(), labels.data(), batch);
      check_close(model.scores(), reference.read("testing scores"));
    }
  }
}
