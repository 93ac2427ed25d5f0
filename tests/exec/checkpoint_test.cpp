// SPDX-License-Identifier: Apache-2.0
// Files of what was learnt: what is written comes back, in PyTorch's order, and a training that
// goes on from a checkpoint is bit for bit the one that was never interrupted. Files that are
// wrong.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "exec/training/checkpoint.h"
#include "exec/training/replica.h"
#include "exec/training/safetensors_json.h"
#include "exec/training/tensor_order.h"
#include "models/base/errors.h"
#include "models/base/random.h"
#include "tests/exec/small_networks.h"

using namespace lockstep;
using namespace lockstep::exec;

namespace {

constexpr std::uint64_t kSeed = 77;

/// A file of this test, removed at its end.
struct File {
  explicit File(const std::string& name) : path("checkpoint_test_" + name) {}
  ~File() { std::filesystem::remove(path); }
  void write(const std::string& content) const { std::ofstream(path, std::ios::binary) << content; }
  std::string read() const {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  std::string path;
};

std::vector<float> random_floats(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values)
    value = static_cast<float>(random.normal());
  return values;
}

/// Convolution, normalisation, dropout; a flatten in front of another normalisation.
network::Network network_of_all() {
  return make_network(28, 28, 1,
                      convolution(6, 5, 2, 1) + kNorm + kRelu + pool(2, 2) + kind("flatten") +
                          kNorm + kind("dropout", R"("rate":0.25)") + dense(12) + kRelu);
}

/// Noise with labels below 5.
Dataset noise() {
  Random random(kSeed);
  std::vector<std::uint8_t> pixels, labels;
  for (int image = 0; image < 96; ++image) {
    labels.push_back(static_cast<std::uint8_t>(random.below(5)));
    for (int pixel = 0; pixel < 28 * 28; ++pixel)
      pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
  }
  Dataset data;
  data.train = std::make_unique<StoredImages>(ImageFormat{.size = {28, 28}}, pixels, labels);
  return data;
}

std::string error_of(const std::string& content, const File& file) {
  file.write(content);
  try {
    SafetensorsReader reader(file.path);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

/// The bytes of a file with this header and so many bytes of data.
std::string with_header(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header +
         std::string(data_bytes, '\0');
}

}  // namespace

TEST_CASE("checkpoint: parameters come back as they were, and by name", "[checkpoint]") {
  const network::Network network = network_of_all();
  const std::vector<float> parameters = random_floats(network.flat_count, kSeed);
  const File file("parameters");
  save_parameters(file.path, network, parameters);
  std::vector<float> again(parameters.size());
  load_parameters(file.path, network, again);
  CHECK(again == parameters);

  // Output × input × height × width: element (3, 0, 1, 4) of conv1, whose kernel is 5.
  SafetensorsReader reader(file.path);
  const std::vector<float> weight = reader.read("conv1.weight", {6, 1, 5, 5});
  const std::size_t first = network.layers[0].parameters[0].first;
  CHECK(weight[(3 * 1 + 0) * 25 + 1 * 5 + 4] == parameters[first + (1 * 5 + 4) * 6 + 3]);
  // conv1 puts out ⌊(28 + 2 − 5) / 2⌋ + 1 = 13 rows and columns, the pool 6; so a dense layer is
  // fed 6·6·6 features: channel 2, row 4, column 5 is number (2·6 + 4)·6 + 5 in the file, and (4·6
  // + 5)·6 + 2 here.
  const std::vector<float> dense = reader.read("dense1.weight", {12, 216});
  const std::size_t dense_first = network.layers[7].parameters[0].first;
  CHECK(network.layers[7].name == "dense1");
  CHECK(dense[7 * 216 + (2 * 6 + 4) * 6 + 5] ==
        parameters[dense_first + ((4 * 6 + 5) * 6 + 2) * 12 + 7]);
  // … and so is the normalisation in between.
  const std::vector<float> mean = reader.read("norm2.running_mean", {216});
  CHECK(mean[(2 * 6 + 4) * 6 + 5] ==
        parameters[network.layers[5].parameters[2].first + (4 * 6 + 5) * 6 + 2]);
}

TEST_CASE("checkpoint: a tensor's order is one to one for every kind of layer", "[checkpoint]") {
  for (const std::string name : {"alexnet", "dogs-cats-cnn", "resnet18-64", "fashion-cnn"}) {
    const network::Network network = network::load_network(name);
    for (std::size_t l = 0; l < network.layers.size(); ++l)
      for (std::size_t t = 0; t < network.layers[l].parameters.size(); ++t) {
        const network::Parameter& parameter = network.layers[l].parameters[t];
        INFO(name << ", " << parameter.name);
        if (parameter.count > 1'000'000) continue;
        std::vector<bool> met(parameter.count);
        std::uint64_t next = 0, faults = 0;
        TensorOrder(network, l, t).for_each([&](std::uint64_t ours, std::uint64_t in_file) {
          faults += ours != next++ || in_file >= met.size() || met[in_file];
          met[in_file % met.size()] = true;
        });
        CHECK(faults == 0);
        CHECK(next == parameter.count);
      }
  }
}

TEST_CASE("checkpoint: training goes on from one as if it had never stopped", "[checkpoint]") {
  const network::Network network = network_of_all();
  training::Job job;
  job.batch = 16;  // six batches an epoch: the stop is in the second, the end in the third
  job.seed = kSeed;
  job.iterations = 13;
  job.rate.policy = training::RatePolicy::Cosine;
  job.update.optimizer = GENERATE(from_range(network::kOptimizers));
  const Dataset data = noise();
  const training::Iteration iteration = training::make_iteration(job, network);
  const auto train = [&](Replica& replica, std::int32_t iterations) {
    for (std::int32_t i = 0; i < iterations; ++i)
      for (std::size_t row = 0; row < iteration.works.size(); ++row)
        replica.compute(static_cast<std::int32_t>(row), i);
  };
  Replica whole(job, network, iteration, data, 0);
  train(whole, job.iterations);

  const File file("state");
  Replica before(job, network, iteration, data, 0);
  train(before, 8);
  save_checkpoint(file.path, network, job, 8, before.parameters(), before.optimizer_state());
  CHECK(iterations_of_checkpoint(file.path) == 8);
  job.iterations = 5;  // those that are left
  Replica after(job, network, iteration, data, 0, 8);
  CHECK(load_checkpoint(file.path, network, job, after.parameters(), after.optimizer_state()) == 8);
  train(after, 5);
  CHECK(after.hash() == whole.hash());
  CHECK(std::equal(after.optimizer_state().begin(), after.optimizer_state().end(),
                   whole.optimizer_state().begin()));
  CHECK(after.loss_sums().back() == whole.loss_sums().back());

  // A checkpoint also gives parameters; parameters are no checkpoint.
  std::vector<float> parameters(network.flat_count);
  load_parameters(file.path, network, parameters);
  CHECK(std::equal(parameters.begin(), parameters.end(), before.parameters().begin()));
  const File learnt("learnt");
  save_parameters(learnt.path, network, parameters);
  CHECK_THROWS_WITH(iterations_of_checkpoint(learnt.path),
                    learnt.path + ": is no checkpoint: its metadata lacks \"iterations\"");
  job.batch = 8;
  CHECK_THROWS_WITH(
      load_checkpoint(file.path, network, job, after.parameters(), after.optimizer_state()),
      file.path + ": was trained with batch 16, cannot go on with 8");
}

TEST_CASE("checkpoint: tensors that are missing or of another shape are errors", "[checkpoint]") {
  const network::Network small = make_network(4, 4, 1, dense(3));
  const network::Network large = make_network(4, 4, 1, dense(7));
  const network::Network other = make_network(4, 4, 1, kind("dense", R"("features":3,"name":"x")"));
  const std::vector<float> parameters(small.flat_count);
  const File file("small");
  save_parameters(file.path, small, parameters);
  std::vector<float> into(large.flat_count);
  CHECK_THROWS_WITH(load_parameters(file.path, large, into),
                    file.path + ": /dense1.weight: has the shape [3, 16], expected [7, 16]");
  CHECK_THROWS_WITH(load_parameters(file.path, other, into),
                    file.path + ": has no tensor \"x.weight\"");
  CHECK_THROWS_WITH(load_parameters("nowhere", small, into), "nowhere: there is no such file");
  CHECK_THROWS_WITH(save_parameters("no_such_folder/x", small, parameters),
                    "no_such_folder/x: cannot be written");
}

TEST_CASE("safetensors: files that are wrong are errors, whatever they promise", "[checkpoint]") {
  const File file("wrong");
  const auto check = [&](const std::string& content, const std::string& expected) {
    INFO(content.substr(0, 120));
    CHECK(error_of(content, file) == file.path + expected);
  };
  check("", ": is no safetensors file: it has only 0 bytes");
  check("1234567", ": is no safetensors file: it has only 7 bytes");
  check(
      std::string(8, '\x7f') + "{}",
      ": is no safetensors file: a header of 9187201950435737471 bytes is longer than the file or "
      "than 100 MB");
  check(with_header("[]", 0), ": its header must be an object");
  check(with_header(R"({"a":7})", 0), ": /a: must be an object, is 7");
  check(with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4),
        ": /a: a shape of [2] of F32 does not fill its 4 bytes");
  check(with_header(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})",
                    4),
        ": /a/shape: a shape of [4294967296, 4294967296] is too large");
  check(
      with_header(R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}})", 0),
      ": /a: a shape of [4611686018427387904] of F32 does not fill its 0 bytes");
  check(with_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4),
        ": /a/data_offsets: must be a begin and an end behind it");
  check(with_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8),
        ": /a: begins at 4, but the tensor before it ends at 0");
  check(with_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                    R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                    4),
        ": /b: begins at 0, but the tensor before it ends at 4");
  check(with_header(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})", 11),
        ": its header promises 12 bytes of data, it has 11");
  check(with_header(R"({"a":{"dtype":"F9","shape":[3],"data_offsets":[0,12]}})", 12),
        ": /a/dtype: unknown type \"F9\"");
  check(with_header(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4),
        ": /a/shape: must be a whole number of at least 0, is -1");
  check(with_header(R"({"__metadata__":{"x":1}})", 0), ": /__metadata__/x: must be a text");

  file.write(with_header(R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})", 4));
  SafetensorsReader half(file.path);
  CHECK_THROWS_WITH(half.read("a", {2}), file.path + ": /a: is of type F16, expected F32");
}

TEST_CASE("safetensors: a file that ends too early, anywhere, is an error and nothing else",
          "[checkpoint]") {
  const network::Network network = make_network(2, 2, 1, dense(3));
  const File file("cut");
  save_parameters(file.path, network, std::vector<float>(network.flat_count));
  const std::string whole = file.read();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    INFO("the first " << length << " bytes");
    CHECK(error_of(whole.substr(0, length), file).starts_with(file.path + ": "));
  }
  CHECK(error_of(whole, file) == "no error");
}

TEST_CASE("safetensors: bytes changed at random are an error or change elements only",
          "[checkpoint]") {
  const network::Network network = make_network(2, 2, 1, dense(3));
  const File file("changed");
  save_parameters(file.path, network, std::vector<float>(network.flat_count));
  const std::string whole = file.read();
  Random random(kSeed);
  INFO("seed " << kSeed);
  for (int trial = 0; trial < 2000; ++trial) {
    std::string changed = whole;
    for (int change = 0; change < 3; ++change)
      changed[random.below(std::min<std::uint64_t>(changed.size(), 400))] =
          static_cast<char>(random.below(256));
    file.write(changed);
    std::vector<float> into(network.flat_count);
    try {
      load_parameters(file.path, network, into);
    } catch (const ConfigError&) {
    }
  }
}
