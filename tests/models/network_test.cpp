// SPDX-License-Identifier: Apache-2.0
// Networks as data: counts of the zoo against hand calculation, the flat layout, and what the
// reader says about files that are wrong.
#include "models/network/network.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>

#include "models/base/errors.h"

using namespace lockstep;
using namespace lockstep::network;

namespace {

/// A network of 8×8×2 images and 3 classes with these layers.
std::string with_layers(const std::string& layers) {
  return R"({"name":"n","input":{"height":8,"width":8,"channels":2},"classes":3,"layers":[)" +
         layers + "]}";
}

const std::string kDense = R"({"kind":"dense","features":3})";

/// The text of the error that reading `text` ends in.
std::string error_of(const std::string& text) {
  try {
    parse_network(text, "x.json");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

void check_error(const std::string& text, const std::string& expected) {
  INFO(text.substr(0, 200));
  CHECK(error_of(text) == expected);
}

}  // namespace

TEST_CASE("network: fashion-cnn has the parameters, FLOPs and bytes that a hand counts",
          "[network]") {
  const Network network = load_network("fashion-cnn");
  CHECK(network.name == "fashion-cnn");
  CHECK(network.classes == 10);
  REQUIRE(network.layers.size() == 8);
  // (3·3·1+1)·32 + (3·3·32+1)·64 + (12·12·64+1)·128 + (128+1)·10
  //   = 320 + 18,496 + 1,179,776 + 1,290
  CHECK(network.parameter_count == 1'199'882);
  // 2 · (26²·32·9 + 24²·64·288 + 9,216·128 + 128·10)
  //   = 389,376 + 21,233,664 + 2,359,296 + 2,560
  CHECK(network.flops_forward() == 23'984'896);
  // twice that, without the gradient of conv1's input: 47,969,792 − 389,376
  CHECK(network.flops_backward() == 47'580'416);

  const Layer& conv1 = network.layers[0];
  CHECK(conv1.name == "conv1");
  CHECK(conv1.signature() == "conv 3x3/1+0 28x28x1 -> 26x26x32, first");
  CHECK(conv1.bytes_forward == 4 * (784 + 26 * 26 * 32));
  CHECK(conv1.bytes_backward == 4 * (784 + 26 * 26 * 32));
  CHECK(!conv1.input_gradient);
  const Layer& conv2 = network.layers[2];
  CHECK(conv2.name == "conv2");
  CHECK(conv2.signature() == "conv 3x3/1+0 26x26x32 -> 24x24x64");
  CHECK(conv2.bytes_backward == 4 * (2 * 26 * 26 * 32 + 24 * 24 * 64));
  const Layer& pool1 = network.layers[4];
  CHECK(pool1.signature() == "max-pool 2x2/2 24x24x64 -> 12x12x64");
  CHECK(pool1.flops_forward == 0);
  CHECK(network.layers[5].signature() == "dense 9216 -> 128");
  CHECK(network.layers[6].signature() == "relu 128");
  CHECK(to_string(network.layers[5].output) == "1x1x128");
}

TEST_CASE("network: lenet5 has the parameters and FLOPs that a hand counts", "[network]") {
  const Network network = load_network("lenet5");
  // (5·5·1+1)·6 + (5·5·6+1)·16 + (4·4·16+1)·120 + (120+1)·84 + (84+1)·10
  //   = 156 + 2,416 + 30,840 + 10,164 + 850
  CHECK(network.parameter_count == 44'426);
  // 2 · (24²·6·25 + 8²·16·150 + 256·120 + 120·84 + 84·10)
  CHECK(network.flops_forward() == 2 * (86'400 + 153'600 + 30'720 + 10'080 + 840));
  CHECK(network.layers[5].output == Shape{4, 4, 16});
}

TEST_CASE("network: the flat buffers hold the last layer first, weight before bias, without gaps",
          "[network]") {
  const Network network = load_network("fashion-cnn");
  std::uint64_t next = 0;
  for (auto layer = network.layers.rbegin(); layer != network.layers.rend(); ++layer) {
    if (layer->parameters.empty()) continue;
    REQUIRE(layer->parameters.size() == 2);
    CHECK(layer->parameters[0].name == layer->name + ".weight");
    CHECK(layer->parameters[1].name == layer->name + ".bias");
    for (const Parameter& parameter : layer->parameters) {
      CHECK(parameter.first == next);
      std::uint64_t product = 1;
      for (const std::int32_t size : parameter.shape)
        product *= static_cast<std::uint64_t>(size);
      CHECK(parameter.count == product);
      next += parameter.count;
    }
  }
  CHECK(next == network.parameter_count);
  const Parameter& weight = network.layers[2].parameters[0];
  CHECK(weight.shape == std::vector<std::int32_t>{3, 3, 32, 64});
  CHECK(weight.fan_in == 288);  // 3·3·32
  CHECK(network.layers[7].parameters[0].first == 0);
  CHECK(network.layers[0].parameters[1].first == 1'199'882 - 32);
}

TEST_CASE("network: stride and padding give ⌊(size + 2 padding − kernel) / stride⌋ + 1",
          "[network]") {
  const Network network = parse_network(
      with_layers(R"({"kind":"convolution","channels":5,"kernel":3,"stride":2,"padding":1},)"
                  R"({"kind":"max-pool","kernel":3,"stride":1},)" +
                  kDense),
      "x.json");
  CHECK(network.layers[0].output == Shape{4, 4, 5});  // ⌊(8 + 2 − 3) / 2⌋ + 1
  CHECK(network.layers[0].signature() == "conv 3x3/2+1 8x8x2 -> 4x4x5, first");
  CHECK(network.layers[1].output == Shape{2, 2, 5});  // (4 − 3) / 1 + 1
  CHECK(network.layers[1].name == "pool1");
  CHECK(network.layers[2].parameters[0].shape == std::vector<std::int32_t>{20, 3});
}

TEST_CASE("network: a pooling window moves by its own size unless the file says otherwise",
          "[network]") {
  const Network network =
      parse_network(with_layers(R"({"kind":"max-pool","kernel":3},)" + kDense), "x.json");
  CHECK(network.layers[0].stride == 3);
  CHECK(network.layers[0].output == Shape{2, 2, 2});  // ⌊(8 − 3) / 3⌋ + 1
}

TEST_CASE("network: what is written is read back as the same network", "[network]") {
  const std::string mixed =
      with_layers(R"({"kind":"convolution","channels":4,"kernel":3,"stride":2,"padding":2,)"
                  R"("name":"a \"b\"/~"},{"kind":"relu","name":"r"},)"
                  R"({"kind":"max-pool","kernel":3,"stride":1},)" +
                  kDense);
  for (const Network& network :
       {load_network("fashion-cnn"), load_network("lenet5"), parse_network(mixed, "x.json")}) {
    CHECK(parse_network(to_json(network), "again") == network);
  }
}

TEST_CASE("network: impossible shapes are errors that name file, place and layer", "[network]") {
  check_error(with_layers(R"({"kind":"convolution","channels":4,"kernel":3},{"kind":"relu"},)"
                          R"({"kind":"convolution","channels":4,"kernel":7},)" +
                          kDense),
              "x.json: /layers/2: conv2: its 7x7 window does not fit into its input of 6x6x4");
  check_error(with_layers(R"({"kind":"max-pool","kernel":9,"name":"squeeze"},)" + kDense),
              "x.json: /layers/0: squeeze: its 9x9 window does not fit into its input of 8x8x2");
  check_error(
      with_layers(R"({"kind":"convolution","channels":4,"kernel":3,"padding":3},)" + kDense),
      "x.json: /layers/0: conv1: the padding (3) must be smaller than the kernel (3), or "
      "windows would see nothing but zeros");
  check_error(with_layers(kDense + R"(,{"kind":"dense","features":4})"),
              "x.json: /layers/1: dense2: as the last layer it must give one score for each of the "
              "3 classes, its output is 1x1x4");
  check_error(with_layers(R"({"kind":"convolution","channels":3,"kernel":3})"),
              "x.json: /layers/0: conv1: as the last layer it must give one score for each of the "
              "3 classes, its output is 6x6x3");
  check_error(with_layers(R"({"kind":"relu","name":"dense1"},)" + kDense),
              "x.json: /layers/1: dense1: another layer has this name already");
}

TEST_CASE("network: sizes whose products would overflow are errors", "[network]") {
  // 65,536² = 2³² elements
  check_error(R"({"name":"n","input":{"height":65536,"width":65536,"channels":1},"classes":3,)"
              R"("layers":[)" +
                  kDense + "]}",
              "x.json: /input: an image of 65536x65536x1 has more than 268435456 elements");
  // 8·8·65,536 = 2²² inputs, times 65,536
  check_error(with_layers(R"({"kind":"convolution","channels":65536,"kernel":1},)"
                          R"({"kind":"dense","features":65536},)" +
                          kDense),
              "x.json: /layers/1: dense1: its 274877906944 weights are more than 2147483647");
  // 16,384² · 2 = 2²⁹ elements
  check_error(R"({"name":"n","input":{"height":16384,"width":16384,"channels":1},"classes":3,)"
              R"("layers":[{"kind":"convolution","channels":2,"kernel":1},)" +
                  kDense + "]}",
              "x.json: /layers/0: conv1: its output of 16384x16384x2 has more than 268435456 "
              "elements");
  // One by one these pass, but not together: 8·8·2 = 128 inputs → 65,536 (2²³ weights) → 16,384
  // (2³⁰) → 65,536 (2³⁰), and 65,536 + 16,384 + 65,536 biases
  check_error(with_layers(R"({"kind":"dense","features":65536},{"kind":"dense","features":16384},)"
                          R"({"kind":"dense","features":65536},)" +
                          kDense),
              "x.json: /layers/2: dense3: up to here the network has 2156019712 parameters, more "
              "than 2147483647");
}

TEST_CASE("network: numbers of a wrong type or range are errors", "[network]") {
  const auto with_kernel = [](const std::string& kernel) {
    return with_layers(R"({"kind":"convolution","channels":4,"kernel":)" + kernel + "}," + kDense);
  };
  const std::string expected = "x.json: /layers/0/kernel: must be a whole number 1 … 255, is ";
  for (const std::string value : {"-1", "0", "256", "2.5", "\"3\"", "null", "[3]", "true",
                                  "-9223372036854775808", "18446744073709551615"})
    check_error(with_kernel(value), expected + value);
  check_error(with_kernel("10000000000000000000000"), expected + "1e+22");
  check_error(with_layers(R"({"kind":"dense","features":65537})"),
              "x.json: /layers/0/features: must be a whole number 1 … 65536, is 65537");
  check_error(
      with_layers(R"({"kind":"convolution","channels":4,"kernel":3,"padding":-1},)" + kDense),
      "x.json: /layers/0/padding: must be a whole number 0 … 255, is -1");
  check_error(R"({"name":"","input":{"height":8,"width":8,"channels":1},"classes":3,"layers":[)" +
                  kDense + "]}",
              "x.json: /name: must not be empty");
  check_error(R"({"name":"n","input":[8,8,1],"classes":3,"layers":[)" + kDense + "]}",
              "x.json: /input: must be an object, is [8,8,1]");
  check_error(R"({"name":"n","input":{"height":8,"width":8,"channels":1},"classes":1,"layers":[)" +
                  kDense + "]}",
              "x.json: /classes: must be a whole number 2 … 65536, is 1");
}

TEST_CASE("network: unknown, missing and repeated keys are errors, with a suggestion",
          "[network]") {
  check_error(with_layers(R"({"kind":"convolution","channels":4,"kernal":3},)" + kDense),
              "x.json: /layers/0/kernal: unknown key; did you mean \"kernel\"?");
  check_error(with_layers(R"({"kind":"relu","kernel":3},)" + kDense),
              "x.json: /layers/0/kernel: unknown key (known here: kind, name)");
  check_error(
      with_layers(R"({"kind":"maxpool","kernel":2},)" + kDense),
      "x.json: /layers/0/kind: unknown kind \"maxpool\"; did you mean \"max-pool\"? (known: "
      "convolution, dense, relu, max-pool)");
  check_error(with_layers(R"({"kernel":2},)" + kDense), "x.json: /layers/0: \"kind\" is missing");
  check_error(with_layers(R"({"kind":"dense"})"), "x.json: /layers/0: \"features\" is missing");
  check_error(with_layers(R"({"kind":"dense","features":3,"features":3})"),
              "x.json: has the key \"features\" twice in one object");
  check_error(R"({"name":"n","a/b~c":1})",
              "x.json: /a/b~c: unknown key (known here: name, input, classes, layers)");
  check_error(R"({"name":"n"})", "x.json: \"input\" is missing");
  check_error(with_layers(""), "x.json: /layers: must be a list of 1 … 10000 layers");
  check_error(with_layers("7"), "x.json: /layers/0: must be an object, is 7");
  check_error("[]", "x.json: must be an object, is []");
}

TEST_CASE("network: text that ends too early, anywhere, is an error and nothing else",
          "[network]") {
  const std::string whole = to_json(load_network("fashion-cnn"));
  const std::size_t end = whole.find_last_of('}');
  for (std::size_t length = 0; length <= end; ++length) {
    INFO("the first " << length << " bytes");
    CHECK(
        error_of(whole.substr(0, length)).starts_with("x.json: is not JSON: parse error at line"));
  }
}

TEST_CASE("network: a path is read, and neither name nor file gives a suggestion", "[network]") {
  const std::string path = "network_test_lenet.json";
  std::ofstream(path) << to_json(load_network("lenet5"));
  CHECK(load_network(path) == load_network("lenet5"));
  std::ofstream(path) << "{";
  CHECK_THROWS_WITH(load_network(path), Catch::StartsWith(path + ": is not JSON: parse error"));
  std::remove(path.c_str());

  const std::string names = " (names: fashion-cnn, lenet5)";
  const std::string text = ": is neither a network's name nor a file";
  CHECK_THROWS_WITH(load_network("fashon-cnn"),
                    "fashon-cnn" + text + "; did you mean \"fashion-cnn\"?" + names);
  CHECK_THROWS_WITH(load_network("nowhere/there.json"), "nowhere/there.json" + text + names);
  CHECK_THROWS_WITH(load_network("/"), "/: cannot be read");
}
