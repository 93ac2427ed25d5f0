// SPDX-License-Identifier: Apache-2.0
// The arithmetic of a network: against plain loops in double precision, against difference
// quotients, and against itself with other threads and other splits of the batch.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "exec/kernels/model.h"
#include "exec/learning/sgd.h"
#include "models/base/random.h"
#include "tests/exec/reference_network.h"
#include "tests/exec/small_networks.h"

using namespace lockstep;
using namespace lockstep::exec;

namespace {

constexpr std::uint64_t kSeed = 20'240'601;

/// Every kind of layer, with the sizes at which tiles, edges and phases are cut differently.
std::vector<network::Network> networks() {
  return {
      make_network(1, 1, 7, ""),
      make_network(7, 9, 1, convolution(5, 3, 1, 0)),
      make_network(6, 5, 3, convolution(17, 3, 1, 1) + kRelu + convolution(33, 3, 1, 2)),
      make_network(9, 7, 2, convolution(4, 3, 2, 1) + kRelu + convolution(6, 3, 2, 1)),
      make_network(11, 8, 3, convolution(8, 3, 1, 1) + convolution(5, 5, 3, 2)),
      make_network(8, 8, 4, convolution(16, 1, 1, 0) + convolution(3, 1, 2, 0)),
      make_network(10, 11, 2, convolution(3, 1, 1, 0) + convolution(3, 2, 3, 0)),
      make_network(2, 2, 3, convolution(4, 3, 1, 2) + convolution(40, 4, 1, 3)),
      make_network(3, 40, 2, convolution(32, 3, 1, 1) + kRelu + convolution(7, 3, 1, 0)),
      make_network(5, 4, 2, convolution(3, 5, 4, 4)),
      make_network(2, 2, 3, convolution(3, 1, 1, 0) + convolution(4, 2, 9, 1)),
      make_network(8, 9, 3, convolution(6, 3, 1, 0) + pool(2, 2)),
      make_network(9, 9, 2, pool(3, 2) + convolution(4, 2, 1, 0) + pool(2, 3)),
      make_network(9, 8, 3, convolution(19, 2, 1, 0) + pool(3, 1) + kRelu),
      make_network(4, 4, 3, kRelu + convolution(3, 3, 1, 1) + kRelu + kRelu + dense(9)),
      make_network(10, 10, 6, dense(70) + kRelu + dense(33) + kRelu),
      // Large enough for a pool to go with its convolution; rows and columns that no window covers
      make_network(18, 17, 3, convolution(20, 3, 1, 1) + kRelu + pool(2, 2)),
      make_network(17, 18, 2, convolution(33, 3, 1, 1) + pool(3, 4) + kRelu),
      make_network(14, 15, 5, convolution(40, 3, 1, 1) + kRelu + pool(2, 2) + kind("flatten")),
      // Windows that overlap or hang over the edge
      make_network(9, 8, 3, convolution(18, 3, 1, 1) + kRelu + kind("max-pool", kPadded)),
      make_network(9, 8, 18, kind("batch-norm") + kind("average-pool", kPadded)),
      make_network(7, 6, 4, convolution(19, 3, 1, 0) + kind("average-pool", R"("kernel":2)")),
      make_network(7, 6, 4, convolution(19, 3, 1, 0) + kind("global-average-pool")),
      make_network(6, 7, 6, convolution_of_groups(9, 3) + kRelu + convolution_of_groups(9, 9)),
      make_network(5, 5, 32, convolution_of_groups(64, 2) + convolution_of_groups(34, 2)),
      make_network(6, 6, 3,
                   convolution(18, 3, 1, 1) + kNorm + kRelu + convolution(5, 3, 1, 1) + kNorm),
      make_network(5, 4, 3, kNorm + convolution(7, 3, 1, 1) + kind("dropout", R"("rate":0.4)")),
      make_network(4, 4, 2, dense(40) + kRelu + kind("dropout", R"("rate":0.5)") + dense(9)),
      make_network(8, 8, 3,
                   convolution(20, 3, 1, 1) + kNorm + kind("relu", R"("name":"in")") +
                       block("in", "a", 20, 1) + block("a", "b", 36, 2) + block("b", "c", 36, 1)),
      // An output that feeds several layers in several ways, and additions by themselves
      make_network(5, 5, 3,
                   convolution(6, 3, 1, 1) + kind("relu", R"("name":"r")") +
                       kind("convolution", R"("channels":6,"kernel":3,"padding":1,"name":"s")") +
                       kind("max-pool", R"("kernel":3,"stride":1,"padding":1,"from":"r")") +
                       kind("add", R"("with":"s")") + kind("add", R"("with":"r")") +
                       kind("add", R"("with":"add2","name":"twice")") + kRelu +
                       kind("add", R"("with":"r")")),
      make_network(4, 4, 3, kind("flatten") + dense(20) + kind("flatten") + kRelu),
      with_sigmoid(make_network(6, 6, 3, convolution(4, 3, 1, 0) + kRelu)),
  };
}

std::vector<float> copy(std::span<const float> values) {
  return {values.begin(), values.end()};
}

std::string describe(const network::Network& network) {
  std::string text = "seed " + std::to_string(kSeed) + ":";
  for (const network::Layer& layer : network.layers)
    text += " [" + layer.signature() + "]";
  return text;
}

/// |actual − expected| ≤ tolerance · the largest |expected| of each tensor (or 0.02: the gradient
/// of a bias in front of a normalisation is zero), element by element.
void check_tensors(const network::Network& network, std::span<const float> actual,
                   const Numbers& expected, double tolerance) {
  for (const network::Layer& layer : network.layers)
    for (const network::Parameter& tensor : layer.parameters) {
      double largest = 0.02, error = 0;
      for (std::size_t i = tensor.first; i < tensor.first + tensor.count; ++i) {
        largest = std::max(largest, std::abs(expected[i]));
        const double difference = std::abs(actual[i] - expected[i]);
        if (!(difference <= error)) error = difference;  // also when it is not a number
      }
      INFO(tensor.name);
      CHECK(error <= tolerance * largest);
    }
}

}  // namespace

// Sums of up to 600 single-precision products: the rounding is far below 1e-5 of the largest.
TEST_CASE("kernels: loss and gradients are those of plain loops in double precision", "[kernels]") {
  for (const network::Network& network : networks())
    for (const int count : {1, 3, 17}) {
      INFO(describe(network) << ", batch " << count);
      const Samples batch(network, count, kSeed);
      Model model(network, 17, 1);
      model.initialise(kSeed);
      const double scale = 1.0 / count;
      const double loss = run(model, network, batch, scale);

      const Numbers parameters(model.parameters().begin(), model.parameters().end());
      Numbers gradients(parameters.size());
      const double expected = ReferenceNetwork(network, kDraw)
                                  .loss(parameters, batch.images, batch.labels, scale, &gradients);
      CHECK(loss == Approx(expected).epsilon(1e-6));
      check_tensors(network, model.gradients(), gradients, 1e-5);
    }
}

// (f(p + h) − f(p − h)) / 2h in double precision; its error is about h² · f''' + 1e-16 / h < 1e-8.
TEST_CASE("kernels: gradients of every layer kind are the loss's difference quotients",
          "[kernels]") {
  for (const network::Network& network : networks()) {
    INFO(describe(network));
    const Samples batch(network, 2, kSeed);
    Model model(network, 2, 1);
    model.initialise(kSeed);
    run(model, network, batch, 1);
    ReferenceNetwork reference(network, kDraw);
    Numbers parameters(model.parameters().begin(), model.parameters().end());
    Random random(kSeed, 2);
    for (const network::Layer& layer : network.layers)
      for (const network::Parameter& tensor : layer.parameters)
        for (int sample = 0; sample < 5 && tensor.learnt; ++sample) {
          const std::size_t i = tensor.first + random.below(tensor.count);
          INFO(tensor.name << ", parameter " << i);
          constexpr double kStep = 1e-6;
          const double middle = parameters[i];
          parameters[i] = middle + kStep;
          const double above = reference.loss(parameters, batch.images, batch.labels);
          parameters[i] = middle - kStep;
          const double below = reference.loss(parameters, batch.images, batch.labels);
          parameters[i] = middle;
          CHECK(model.gradients()[i] == Approx((above - below) / (2 * kStep)).margin(1e-5));
        }
  }
}

TEST_CASE("kernels: the number of threads changes no bit", "[kernels]") {
  for (const network::Network& network : networks())
    for (const int count : {1, 3, 16}) {
      INFO(describe(network) << ", batch " << count);
      const Samples batch(network, count, kSeed);
      std::vector<float> alone;
      double loss_alone = 0;
      for (const int threads : {1, 2, 3}) {
        Model model(network, 16, threads);
        model.initialise(kSeed);
        const double loss = run(model, network, batch, 0.25);
        if (threads == 1) {
          alone = copy(model.gradients());
          loss_alone = loss;
        }
        CHECK(loss == loss_alone);
        CHECK(std::memcmp(alone.data(), model.gradients().data(), alone.size() * 4) == 0);
      }
    }
}

TEST_CASE("kernels: the gradients of the parts of a batch add up to those of the batch",
          "[kernels]") {
  for (const network::Network& network : networks()) {
    if (network.sum_count > 0) continue;  // each part would be normalised by itself
    INFO(describe(network));
    const Samples batch(network, 7, kSeed);
    Model model(network, 7, 2);
    model.initialise(kSeed);
    const double whole_loss = run(model, network, batch, 1.0 / 7);
    const Numbers whole(model.gradients().begin(), model.gradients().end());
    // Parts of 2, 0, 4 and 1 images
    double loss = 0;
    std::vector<float> sum(whole.size());
    const std::vector<int> bounds{0, 2, 2, 6, 7};
    for (std::size_t part = 0; part + 1 < bounds.size(); ++part) {
      const auto first = static_cast<std::size_t>(bounds[part]);
      loss += run(model, network, batch.images.data() + first * network.input.elements(),
                  batch.labels.data() + first, bounds[part + 1] - bounds[part], 1.0 / 7, first);
      for (std::size_t i = 0; i < sum.size(); ++i)
        sum[i] += model.gradients()[i];
    }
    CHECK(loss == Approx(whole_loss).epsilon(1e-6));
    check_tensors(network, sum, whole, 1e-5);
  }
}

TEST_CASE("kernels: gradients are overwritten, and an empty batch has none", "[kernels]") {
  for (const network::Network& network : networks()) {
    INFO(describe(network));
    const Samples batch(network, 3, kSeed);
    Model model(network, 3, 2);
    model.initialise(kSeed);
    run(model, network, batch, 1);
    const std::vector<float> first = copy(model.gradients());
    std::fill(model.gradients().begin(), model.gradients().end(),
              std::numeric_limits<float>::quiet_NaN());
    run(model, network, batch, 1);
    CHECK(std::memcmp(first.data(), model.gradients().data(), first.size() * 4) == 0);

    CHECK(run(model, network, nullptr, nullptr, 0, 1) == 0);
    CHECK(model.count_correct(nullptr, nullptr, 0) == 0);
    CHECK(std::all_of(model.gradients().begin(), model.gradients().end(),
                      [](float value) { return value == 0; }));
  }
}

TEST_CASE("kernels: what later images of a larger batch left behind is not seen", "[kernels]") {
  for (const network::Network& network : networks()) {
    INFO(describe(network));
    const Samples large(network, 9, kSeed + 1);
    const Samples small(network, 2, kSeed);
    Model used(network, 9, 1);
    used.initialise(kSeed);
    run(used, network, large, 1);
    Model fresh(network, 2, 1);
    fresh.initialise(kSeed);
    CHECK(run(used, network, small, 1) == run(fresh, network, small, 1));
    CHECK(std::memcmp(used.gradients().data(), fresh.gradients().data(),
                      fresh.gradients().size() * 4) == 0);
  }
}

// A convolution without weights gives the same everywhere: the gradient of its weights tells which
// of the equal elements won.
TEST_CASE("kernels: of equal elements the first one of a pooling window wins", "[kernels]") {
  const network::Network network = make_network(6, 6, 2, convolution(3, 2, 1, 0) + pool(3, 2));
  const Samples batch(network, 2, kSeed);
  Model model(network, 2, 1);
  model.initialise(kSeed);
  const network::Parameter& weight = network.layers[0].parameters[0];
  const auto weights = model.parameters().subspan(weight.first, weight.count);
  std::fill(weights.begin(), weights.end(), 0.0f);
  run(model, network, batch, 1);
  const Numbers parameters(model.parameters().begin(), model.parameters().end());
  Numbers gradients(parameters.size());
  ReferenceNetwork(network, kDraw).loss(parameters, batch.images, batch.labels, 1, &gradients);
  check_tensors(network, model.gradients(), gradients, 1e-5);
}

TEST_CASE("kernels: fashion-cnn and lenet5 at full size agree with the plain loops",
          "[kernels][slow]") {
  for (const std::string name : {"fashion-cnn", "lenet5"}) {
    INFO(name);
    const network::Network network = network::load_network(name);
    const Samples batch(network, 1, kSeed);
    Model model(network, 1, 2);
    model.initialise(kSeed);
    const double loss = run(model, network, batch, 1);
    const Numbers parameters(model.parameters().begin(), model.parameters().end());
    Numbers gradients(parameters.size());
    const double expected = ReferenceNetwork(network, kDraw)
                                .loss(parameters, batch.images, batch.labels, 1, &gradients);
    CHECK(loss == Approx(expected).epsilon(1e-6));
    check_tensors(network, model.gradients(), gradients, 1e-4);
  }
}

TEST_CASE("kernels: without weights every class is equally likely, and biases choose",
          "[kernels]") {
  const network::Network network = make_network(1, 1, 7, "");
  Model model(network, 4, 1);
  const std::vector<float> images(4 * 7, 1.0f);
  const std::vector<std::int32_t> labels{2, 0, 2, 4};
  const double loss = run(model, network, images.data(), labels.data(), 4, 0.5);
  CHECK(loss == Approx(4 * std::log(5.0)));
  CHECK(model.count_correct(images.data(), labels.data(), 4) ==
        1);  // of equal scores the first counts: class 0
  // Scores' gradient: 0.5 · (1/5 − one-hot); over the batch, class 2: 0.5 · (4/5 − 2) = −0.6,
  // class 0: 0.5 · (4/5 − 1) = −0.1, class 1: 0.5 · 4/5 = 0.4. All inputs are 1: the weights' too.
  const network::Parameter& weight = network.layers[0].parameters[0];
  const network::Parameter& bias = network.layers[0].parameters[1];
  const std::span<const float> gradients = model.gradients();
  const std::vector<double> expected{-0.1, 0.4, -0.6, 0.4, -0.1};
  for (std::size_t c = 0; c < 5; ++c) {
    CHECK(gradients[bias.first + c] == Approx(expected[c]));
    CHECK(gradients[weight.first + 3 * 5 + c] == Approx(expected[c]));
  }
  model.parameters()[bias.first + 2] = 1;
  CHECK(model.count_correct(images.data(), labels.data(), 4) == 2);
}

TEST_CASE("kernels: scores far apart give a finite loss", "[kernels]") {
  const network::Network network = make_network(1, 1, 1, "");
  Model model(network, 2, 1);
  // Scores 0, 1e4, 0, 0, 0: the loss is 0 for class 1 and 1e4 for class 0.
  model.parameters()[network.layers[0].parameters[1].first + 1] = 1e4f;
  const std::vector<float> images{0, 0};
  const std::vector<std::int32_t> labels{1, 0};
  CHECK(run(model, network, images.data(), labels.data(), 2, 1) == Approx(1e4));
}

TEST_CASE("kernels: initial values fill ±1/√fan-in and depend on the seed and tensor only",
          "[kernels]") {
  const network::Network network = network::load_network("lenet5");
  Model one(network, 1, 1), three(network, 4, 3), other(network, 1, 1);
  one.initialise(7);
  three.initialise(7);
  other.initialise(8);
  const std::size_t bytes = one.parameters().size() * 4;
  CHECK(std::memcmp(one.parameters().data(), three.parameters().data(), bytes) == 0);
  CHECK(std::memcmp(one.parameters().data(), other.parameters().data(), bytes) != 0);
  for (const network::Layer& layer : network.layers)
    for (const network::Parameter& tensor : layer.parameters) {
      INFO(tensor.name);
      const double bound = 1 / std::sqrt(static_cast<double>(tensor.fan_in));
      double largest = 0, sum = 0;
      for (const float value : one.parameters().subspan(tensor.first, tensor.count)) {
        largest = std::max(largest, std::abs(double{value}));
        sum += value;
      }
      CHECK(largest <= bound * (1 + 1e-6));
      if (tensor.count < 100) continue;
      CHECK(largest > 0.95 * bound);
      // The mean of n uniform values has the standard deviation bound / √(3n): five of them.
      CHECK(std::abs(sum / static_cast<double>(tensor.count)) <
            5 * bound / std::sqrt(3 * static_cast<double>(tensor.count)));
    }
  const network::Parameter& first = network.layers[0].parameters[0];
  const network::Parameter& second = network.layers[3].parameters[0];
  // Scaled to one range, the first values of two tensors come from different streams.
  CHECK(one.parameters()[first.first] * std::sqrt(25.0f) !=
        Approx(one.parameters()[second.first] * std::sqrt(150.0f)));
}

TEST_CASE("kernels: a network learns eight random images by heart", "[kernels]") {
  const network::Network network = network::load_network("lenet5");
  const Samples batch(network, 8, kSeed);
  Model model(network, 8, 2);
  model.initialise(kSeed);
  std::vector<float> velocity(model.parameters().size());
  const double before = run(model, network, batch, 1.0 / 8);
  for (int iteration = 0; iteration < 100; ++iteration) {
    run(model, network, batch, 1.0 / 8);
    sgd(model.parameters(), velocity, model.gradients(), {.rate = 0.05f, .momentum = 0.9f});
  }
  const double after = run(model, network, batch, 1.0 / 8);
  INFO("seed " << kSeed << ", loss " << before << " -> " << after);
  CHECK(after < 0.05 * before);
  CHECK(model.count_correct(batch.images.data(), batch.labels.data(), 8) == 8);
}
