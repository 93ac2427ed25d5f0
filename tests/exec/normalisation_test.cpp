// SPDX-License-Identifier: Apache-2.0
// What depends on more than one image, or on chance: batch normalisation over several ranks'
// images, dropout, and what is different in testing.
#include <catch2/catch.hpp>
#include <cmath>
#include <memory>

#include "tests/exec/small_networks.h"

using namespace lockstep;
using namespace lockstep::exec;

namespace {

constexpr std::uint64_t kSeed = 20'250'301;

network::Network normalised() {
  return make_network(8, 8, 3,
                      convolution(20, 3, 1, 1) + kNorm + kind("relu", R"("name":"in")") +
                          block("in", "a", 20, 1) + block("a", "b", 36, 2));
}

/// Ranks with a share of a batch each, in step: sums are added where normalisation needs them.
struct Ranks {
  Ranks(const network::Network& of, const std::vector<int>& shares) : network(of) {
    for (const int share : shares) {
      models.push_back(std::make_unique<Model>(network, share, 1));
      models.back()->initialise(kSeed);
    }
  }

  void add_sums(std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t i = first; i < first + count; ++i) {
      float sum = 0;
      for (const auto& model : models)
        sum += model->sum_buffer()[i];
      for (const auto& model : models)
        model->sum_buffer()[i] = sum;
    }
  }

  double run(const Samples& batch, const std::vector<int>& shares) {
    std::size_t first = 0;
    const auto total = static_cast<int>(batch.labels.size());
    for (std::size_t r = 0; r < models.size(); ++r) {
      models[r]->bind({.images = batch.images.data() + first * network.input.elements(),
                       .labels = batch.labels.data() + first,
                       .count = shares[r],
                       .normalised_images = total,
                       .first_image = first});
      first += static_cast<std::size_t>(shares[r]);
    }
    const int stages = static_cast<int>(network.stages.size());
    double loss = 0;
    for (int s = 0; s < stages; ++s) {
      const network::Stage& stage = network.stages[static_cast<std::size_t>(s)];
      const auto sums = 2 * static_cast<std::uint64_t>(network.first_layer(stage).output.channels);
      if (network.normalises(stage)) {
        for (const auto& model : models)
          model->sums(s);
        add_sums(stage.sums, sums);
      }
      for (const auto& model : models)
        model->forward(s);
    }
    for (const auto& model : models)
      loss += model->loss(1.0 / total);
    for (int s = stages; s-- > 0;) {
      const network::Stage& stage = network.stages[static_cast<std::size_t>(s)];
      const auto sums = 2 * static_cast<std::uint64_t>(network.first_layer(stage).output.channels);
      if (!network.has_backward(stage)) continue;
      if (network.normalises(stage)) {
        for (const auto& model : models)
          model->gradient_sums(s);
        add_sums(stage.sums + sums, sums);
      }
      for (const auto& model : models)
        model->backward(s);
    }
    return loss;
  }

  const network::Network& network;
  std::vector<std::unique_ptr<Model>> models;
};

}  // namespace

TEST_CASE("normalisation: synchronised, any shares of a batch give the gradient of the whole",
          "[kernels]") {
  const network::Network network = normalised();
  const Samples batch(network, 9, kSeed);
  INFO("seed " << kSeed);
  Model whole(network, 9, 1);
  whole.initialise(kSeed);
  const double loss = run(whole, network, batch, 1.0 / 9);
  for (const std::vector<int>& shares :
       {std::vector<int>{9}, {4, 5}, {3, 3, 3}, {1, 8}, {2, 0, 7}}) {
    Ranks ranks(network, shares);
    CHECK(ranks.run(batch, shares) == Approx(loss).epsilon(1e-5));
    for (const network::Layer& layer : network.layers)
      for (const network::Parameter& tensor : layer.parameters) {
        double largest = 0.02, error = 0;
        for (std::size_t i = tensor.first; i < tensor.first + tensor.count; ++i) {
          double sum = 0;
          for (const auto& model : ranks.models)
            sum += static_cast<double>(model->gradients()[i]);
          const double expected = static_cast<double>(whole.gradients()[i]);
          largest = std::max(largest, std::abs(expected));
          error = std::max(error, std::abs(sum - expected));
        }
        INFO(tensor.name << ", " << shares.size() << " ranks");
        CHECK(error <= 2e-5 * largest);
      }
  }
}

TEST_CASE("normalisation: a large mean does not drown the variance", "[kernels]") {
  const network::Network network = make_network(4, 4, 2, kNorm);
  Samples batch(network, 32, kSeed);
  for (float& value : batch.images)
    value += 1000;
  Model model(network, 32, 1);
  model.initialise(kSeed);
  run(model, network, batch, 1.0 / 32);
  const network::Layer& norm = network.layers[0];
  for (std::size_t c = 0; c < 2; ++c) {
    double mean = 0, square = 0;
    for (std::size_t i = c; i < batch.images.size(); i += 2)
      mean += static_cast<double>(batch.images[i]) / 512;  // 32·4·4
    for (std::size_t i = c; i < batch.images.size(); i += 2)
      square += std::pow(static_cast<double>(batch.images[i]) - mean, 2) / 511;
    CHECK(static_cast<double>(model.gradients()[norm.parameters[2].first + c]) ==
          Approx(mean).epsilon(1e-6));
    CHECK(static_cast<double>(model.gradients()[norm.parameters[3].first + c]) ==
          Approx(square).epsilon(1e-5));
  }
}

TEST_CASE("dropout: drops its share, keeps the mean, and draws anew", "[kernels]") {
  const network::Network network = make_network(64, 64, 1, kind("dropout", R"("rate":0.3)"));
  const std::vector<float> images(64 * 64, 1.0f);
  StageBuffers buffers;
  std::vector<float> out(64 * 64), again(64 * 64);
  Team team(1);
  const network::Layer& layer = network.layers[0];
  buffers.input = {images.data(), images.size()};
  const auto drop = [&](DropoutDraw draw, std::vector<float>& into) {
    buffers.output = {into.data(), into.size()};
    dropout_forward(layer, draw, buffers, 1, team);
  };
  drop({.seed = 1, .iteration = 2, .layer = 3, .first_image = 4}, out);
  double kept = 0;
  for (const float value : out) {
    CHECK((value == 0 || value == Approx(1 / 0.7)));
    kept += value > 0 ? 1 : 0;
  }
  // 4,096 draws: five standard deviations are 5·√(0.3·0.7/4096) = 0.036.
  CHECK(kept / 4096 == Approx(0.7).margin(0.036));
  drop({.seed = 1, .iteration = 2, .layer = 3, .first_image = 4}, again);
  CHECK(out == again);
  for (const DropoutDraw other :
       {DropoutDraw{2, 2, 3, 4}, {1, 3, 3, 4}, {1, 2, 4, 4}, {1, 2, 3, 5}}) {
    drop(other, again);
    CHECK(out != again);
  }
}

TEST_CASE("testing: a model for it alone classifies like one in training", "[kernels]") {
  const network::Network network = normalised();
  const Samples batch(network, 11, kSeed);
  Model training(network, 11, 1);
  Model testing(network, 11, 2, Purpose::Testing);
  training.initialise(kSeed);
  testing.initialise(kSeed);
  const auto classify = [&](Model& model) {
    return model.count_correct(batch.images.data(), batch.labels.data(), 11);
  };
  CHECK(classify(training) == classify(testing));
  CHECK(training.scores() == testing.scores());
}

// The loss falls along the gradient as its length says: by a directional difference quotient in
// single precision, with kinks of ReLU and pooling on the way, to a few per cent.
TEST_CASE("networks: alexnet, resnet50, vgg16 and the others can be trained", "[kernels][slow]") {
  for (const std::string name :
       {"dogs-cats-cnn", "resnet18-64", "vgg11-cifar", "alexnet", "resnet50", "vgg16"}) {
    INFO(name);
    const network::Network network = network::load_network(name);
    const Samples batch(network, 2, kSeed);
    Model model(network, 2, 2);
    model.initialise(kSeed);
    const double loss = run(model, network, batch, 1);
    // Untrained, every class is about as likely: the loss of two images is 2 · ln classes.
    CHECK(loss == Approx(2 * std::log(network.classes)).epsilon(0.35));
    double square = 0;
    const std::vector<float> gradient(model.gradients().begin(), model.gradients().end());
    std::vector<bool> learnt(gradient.size());
    for (const network::Layer& layer : network.layers)
      for (const network::Parameter& tensor : layer.parameters)
        for (std::size_t i = tensor.first; i < tensor.first + tensor.count && tensor.learnt; ++i) {
          learnt[i] = true;
          square += static_cast<double>(gradient[i]) * static_cast<double>(gradient[i]);
        }
    REQUIRE(std::isfinite(square));
    const double step = 0.002 * loss / square;  // the loss changes by 0.2 %
    const auto move = [&](double distance) {
      for (std::size_t i = 0; i < gradient.size(); ++i)
        if (learnt[i]) model.parameters()[i] += static_cast<float>(distance) * gradient[i];
    };
    move(step);
    const double above = run(model, network, batch, 1);
    move(-2 * step);
    const double below = run(model, network, batch, 1);
    CHECK((above - below) / (2 * step) == Approx(square).epsilon(0.1));
  }
}
