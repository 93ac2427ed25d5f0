// SPDX-License-Identifier: Apache-2.0
// Networks as data: counts of the zoo against hand calculation, the flat layout, and what the
// reader says about files that are wrong.
#include "models/network/network.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>

#include "models/base/errors.h"
#include "models/network/work.h"

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

  // Four rows in each direction: what follows a convolution or a dense layer goes with it.
  REQUIRE(network.stages.size() == 4);
  CHECK(network.signature(network.stages[0]) == "conv 3x3/1+0 28x28x1 -> 26x26x32, relu, first");
  CHECK(network.signature(network.stages[1]) ==
        "conv 3x3/1+0 26x26x32 -> 24x24x64, relu, max-pool 2x2/2");
  CHECK(network.signature(network.stages[2]) == "dense 9216 -> 128, relu");
  CHECK(network.signature(network.stages[3]) == "dense 128 -> 10");
  const auto bytes = [&](WorkKind kind, std::int32_t stage) {
    return quantities({.kind = kind, .stage = stage}, network).bytes_per_unit;
  };
  CHECK(bytes(WorkKind::Forward, 0) == 4 * (784 + 26 * 26 * 32));
  // gradient and output (where was it zero?), input
  CHECK(bytes(WorkKind::Backward, 0) == 4 * (784 + 2 * 26 * 26 * 32));
  CHECK(bytes(WorkKind::Forward, 1) == 4 * (26 * 26 * 32 + 12 * 12 * 64) + 12 * 12 * 64);
  CHECK(bytes(WorkKind::Backward, 1) == 4 * (2 * 26 * 26 * 32 + 12 * 12 * 64) + 12 * 12 * 64);
  CHECK(quantities({.kind = WorkKind::Forward, .stage = 3}, network).bytes_fixed == 4 * 1'290);
  CHECK(!network.layers[0].input_gradient);
  CHECK(network.layers[2].name == "conv2");
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
  CHECK(network.layers[0].signature() == "conv 3x3/2+1 8x8x2 -> 4x4x5");
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

TEST_CASE("network: the zoo's networks have the parameters that were published", "[network]") {
  const auto parameters = [](const std::string& name) {
    return load_network(name).parameter_count;
  };
  // Chollet's convnet for 150×150: 896 + 18,496 + 73,856 + 147,584 + 3,211,776 + 513
  CHECK(parameters("dogs-cats-cnn") == 3'453'121);
  // torchvision's resnet18 has 11,689,512; with 10 classes 990·(512 + 1) fewer
  CHECK(parameters("resnet18-64") == 11'689'512 - 990 * 513);
  CHECK(parameters("resnet50") == 25'557'032);  // torchvision, like the next two
  CHECK(parameters("alexnet") == 61'100'840);
  CHECK(parameters("vgg16") == 138'357'544);
  // VGG's configuration A without its dense layers, 9,220,480, and one of 512 → 10
  CHECK(parameters("vgg11-cifar") == 9'220'480 + 5'130);
  // Tracked besides: two floats for each of resnet18's 4,800 normalised channels.
  const Network resnet = load_network("resnet18-64");
  CHECK(resnet.flat_count == resnet.parameter_count + 2 * 4'800);
  CHECK(resnet.sum_count == 4 * 4'800);
}

TEST_CASE("network: layers feed those that name them, and go together where nothing else does",
          "[network]") {
  const Network network = parse_network(
      with_layers(R"({"kind":"convolution","channels":4,"kernel":3,"padding":1,"bias":false},)"
                  R"({"kind":"batch-norm"},{"kind":"relu","name":"in"},)"
                  R"({"kind":"convolution","channels":4,"kernel":3,"padding":1,"groups":2},)"
                  R"({"kind":"batch-norm"},{"kind":"add","with":"in"},{"kind":"relu"},)"
                  R"({"kind":"average-pool","kernel":2},{"kind":"global-average-pool"},)"
                  R"({"kind":"flatten"},{"kind":"dropout","rate":0.5},)" +
                  kDense),
      "x.json");
  std::string text;
  for (const Stage& stage : network.stages)
    text += std::to_string(stage.input) + ": " + network.signature(stage) + "\n";
  CHECK(text ==
        "-1: conv 3x3/1+1 8x8x2 -> 8x8x4, first\n"
        "0: batch-norm 8x8x4, relu\n"
        "1: conv 3x3/1+1 8x8x4 -> 8x8x4 of 2\n"
        "2: batch-norm 8x8x4, add, relu\n"
        "3: average-pool 2x2/2 8x8x4 -> 4x4x4\n"
        "4: global-average-pool 4x4x4\n"
        "5: dropout 4\n"
        "6: dense 4 -> 3\n");
  CHECK(network.stages[3].residual == 1);
  CHECK(network.stages[3].residual_gradient);
  CHECK(network.layers[3].parameters[0].shape == std::vector<std::int32_t>{3, 3, 2, 4});
  CHECK(network.layers[0].parameters.size() == 1);
  CHECK(network.layers[1].parameters[2].name == "norm1.running_mean");
  CHECK_FALSE(network.layers[1].parameters[2].learnt);
  // 3·3·2·4, 4 + 4, 3·3·2·4 + 4, 4 + 4, 4·3 + 3
  CHECK(network.parameter_count == 72 + 8 + 76 + 8 + 15);
  CHECK(network.flat_count == network.parameter_count + 16);
}

TEST_CASE("network: where nothing that is learnt depends on it, there is no gradient",
          "[network]") {
  const Network network =
      parse_network(with_layers(R"({"kind":"relu"},{"kind":"flatten"},)" + kDense), "x.json");
  CHECK_FALSE(network.has_backward(network.stages[0]));
  CHECK_FALSE(network.layers[2].input_gradient);
  CHECK(network.has_backward(network.stages.back()));
}

TEST_CASE("network: a pool goes with its convolution where its windows don't overlap",
          "[network]") {
  const auto stages = [](const std::string& pool) {
    return parse_network(with_layers(R"({"kind":"convolution","channels":4,"kernel":1},)" + pool +
                                     "," + kDense),
                         "x.json")
        .stages.size();
  };
  CHECK(stages(R"({"kind":"max-pool","kernel":2})") == 2);
  CHECK(stages(R"({"kind":"max-pool","kernel":2,"stride":3})") == 2);
  CHECK(stages(R"({"kind":"max-pool","kernel":3,"stride":2})") == 3);
  CHECK(stages(R"({"kind":"max-pool","kernel":2,"stride":2,"padding":1})") == 3);
  CHECK(stages(R"({"kind":"average-pool","kernel":2})") == 3);
}

TEST_CASE("network: layers that cannot be fed so are errors", "[network]") {
  check_error(with_layers(R"({"kind":"convolution","channels":4,"kernel":3,"name":"c"},)"
                          R"({"kind":"dense","features":3,"from":"d"})"),
              "x.json: /layers/1/from: no earlier layer is called \"d\"; did you mean \"c\"?");
  check_error(with_layers(R"({"kind":"relu","name":"images"},)" + kDense),
              "x.json: /layers/0/name: \"images\" stands for the network's input");
  check_error(with_layers(R"({"kind":"relu"},{"kind":"dense","features":3,"from":"images"})"),
              "x.json: /layers/0: relu1: no layer takes its output");
  check_error(
      with_layers(R"({"kind":"max-pool","kernel":2},{"kind":"add","with":"images"},)" + kDense),
      "x.json: /layers/1: add1: adds 8x8x2 to 4x4x2, expected the same shape");
  check_error(with_layers(R"({"kind":"add"},)" + kDense), "x.json: /layers/0: \"with\" is missing");
  check_error(
      with_layers(R"({"kind":"convolution","channels":4,"kernel":3,"groups":3},)" + kDense),
      "x.json: /layers/0: conv1: its 2 input and 4 output channels cannot be split into 3 groups");
  check_error(with_layers(R"({"kind":"dropout","rate":1},)" + kDense),
              "x.json: /layers/0/rate: must be below 1, is 1");
  check_error(R"({"name":"n","input":{"height":8,"width":8,"channels":2},"classes":3,)"
              R"("loss":"sigmoid-cross-entropy","layers":[)" +
                  kDense + "]}",
              "x.json: /loss: sigmoid-cross-entropy tells 2 classes apart, not 3");
  check_error(R"({"name":"n","input":{"height":8,"width":8,"channels":2},"classes":2,)"
              R"("loss":"sigmoid-cross-entropy","layers":[)" +
                  kDense + "]}",
              "x.json: /layers/0: dense1: as the last layer it must give the one score of sigmoid "
              "cross-entropy, its output is 1x1x3");
  check_error(R"({"name":"n","input":{"height":1,"width":1,"channels":3},"classes":3,)"
              R"("layers":[{"kind":"relu"}]})",
              "x.json: /layers/0: relu1: as no layer has parameters, there is nothing to train");
}

TEST_CASE("network: what is written is read back as the same network", "[network]") {
  const std::string mixed =
      with_layers(R"({"kind":"convolution","channels":4,"kernel":3,"stride":2,"padding":2,)"
                  R"("name":"a \"b\"/~"},{"kind":"relu","name":"r"},)"
                  R"({"kind":"max-pool","kernel":3,"stride":1},)" +
                  kDense);
  for (const Network& network :
       {load_network("fashion-cnn"), load_network("lenet5"), load_network("dogs-cats-cnn"),
        load_network("resnet18-64"), load_network("alexnet"), parse_network(mixed, "x.json")}) {
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
              "x.json: /layers/0/kernel: unknown key (known here: kind, name, from)");
  check_error(
      with_layers(R"({"kind":"maxpool","kernel":2},)" + kDense),
      "x.json: /layers/0/kind: unknown kind \"maxpool\"; did you mean \"max-pool\"? (known: "
      "convolution, dense, batch-norm, relu, max-pool, average-pool, global-average-pool, dropout, "
      "flatten, add)");
  check_error(with_layers(R"({"kernel":2},)" + kDense), "x.json: /layers/0: \"kind\" is missing");
  check_error(with_layers(R"({"kind":"dense"})"), "x.json: /layers/0: \"features\" is missing");
  check_error(with_layers(R"({"kind":"dense","features":3,"features":3})"),
              "x.json: has the key \"features\" twice in one object");
  check_error(R"({"name":"n","a/b~c":1})",
              "x.json: /a/b~c: unknown key (known here: name, input, classes, loss, layers)");
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

  const std::string names =
      " (names: alexnet, dogs-cats-cnn, fashion-cnn, lenet5, resnet18-64, resnet50, "
      "vgg11-cifar, vgg16)";
  const std::string text = ": is neither a network's name nor a file";
  CHECK_THROWS_WITH(load_network("fashon-cnn"),
                    "fashon-cnn" + text + "; did you mean \"fashion-cnn\"?" + names);
  CHECK_THROWS_WITH(load_network("nowhere/there.json"), "nowhere/there.json" + text + names);
  CHECK_THROWS_WITH(load_network("/"), "/: cannot be read");
}
