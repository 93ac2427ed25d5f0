// SPDX-License-Identifier: Apache-2.0
// A convolutional network as data: its layers, shapes, parameters, FLOPs and bytes. No arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep::network {

/// An activation of one image: height × width × channels. After flatten: 1 × 1 × features.
struct Shape {
  std::int32_t height = 0;
  std::int32_t width = 0;
  std::int32_t channels = 0;

  std::uint64_t elements() const {
    return static_cast<std::uint64_t>(height) * static_cast<std::uint64_t>(width) *
           static_cast<std::uint64_t>(channels);
  }
  friend bool operator==(const Shape&, const Shape&) = default;
};

/// "28x28x1": height × width × channels.
std::string to_string(const Shape& shape);

enum class LayerKind : std::uint8_t { Convolution, Dense, Relu, MaxPool };

/// The kind's word in JSON and in messages: "convolution", "dense", "relu", "max-pool".
const char* to_string(LayerKind kind);

/// One learnt tensor of a layer, and where it lies in the flat parameter and gradient buffers.
/// The output channel is the last, fastest axis: with activations in channels-last order neither
/// the forward pass nor the gradient of the weights has to transpose anything.
struct Parameter {
  std::string name;                 // "conv1.weight"
  std::vector<std::int32_t> shape;  // Convolution: kernel × kernel × in × out; Dense: in × out
  std::uint64_t first = 0;          // index of its first element in the flat buffers
  std::uint64_t count = 0;          // product of `shape`
  std::uint64_t fan_in = 0;         // inputs of one output: what the initial values are scaled by

  friend bool operator==(const Parameter&, const Parameter&) = default;
};

struct Layer {
  LayerKind kind = LayerKind::Relu;
  std::string name;          // unique in the network; "conv1" unless the file names it
  std::int32_t kernel = 0;   // Convolution, MaxPool: a kernel × kernel window
  std::int32_t stride = 1;   // Convolution, MaxPool
  std::int32_t padding = 0;  // Convolution: rows and columns of zeros at each edge
  Shape input;
  Shape output;
  bool input_gradient = true;  // false for the first layer: nobody needs the images' gradient
  std::vector<Parameter> parameters;  // weight, then bias; empty for ReLU and pooling

  /// FLOPs of one image; a multiply-add is two, and comparisons and the bias are not counted. The
  /// backward pass of a layer with parameters needs twice the forward's (gradients of the input
  /// and of the weights); the first layer only half of that.
  std::uint64_t flops_forward = 0;
  std::uint64_t flops_backward = 0;
  /// Bytes one image moves between cache and memory at the least: activations (forward) and
  /// activations and their gradients (backward) that are read and written, 4 bytes each.
  std::uint64_t bytes_forward = 0;
  std::uint64_t bytes_backward = 0;

  std::uint64_t parameter_count() const;
  /// The layer without its name: two layers with one signature do the same arithmetic, so that
  /// they cost the same. "conv 3x3/1+0 26x26x32 -> 24x24x64"; the first layer ends in ", first".
  std::string signature() const;

  friend bool operator==(const Layer&, const Layer&) = default;
};

/// A classifier: layers in order, softmax cross-entropy over `classes` at the end.
///
/// The flat parameter and gradient buffers hold the *last* layer first, so that gradients that are
/// ready early lie together at the front, and a bucket is one contiguous slice. Within a layer:
/// weight, then bias.
struct Network {
  std::string name;
  Shape input;
  std::int32_t classes = 0;
  std::vector<Layer> layers;
  std::uint64_t parameter_count = 0;

  std::uint64_t flops_forward() const;   // of one image
  std::uint64_t flops_backward() const;  // of one image

  friend bool operator==(const Network&, const Network&) = default;
};

/// Bounds that keep every product of sizes within 64 bits and every index within 32.
inline constexpr std::int32_t kMaxSize = 65'536;  // height, width, channels, features, stride
inline constexpr std::int32_t kMaxKernel = 255;
inline constexpr std::uint64_t kMaxElements = 1u << 28;  // of one activation of one image
inline constexpr std::uint64_t kMaxParameters = (1u << 31) - 1;

/// Why layer `layer` cannot stand where it stands.
struct Misfit {
  std::size_t layer = 0;
  std::string explanation;  // begins with the layer's name
};

/// Infers everything that follows from what a file says, which is: the network's name, input and
/// classes, and of each layer kind, kernel, stride, padding, `output.channels` (Convolution,
/// Dense), and `name` unless it is to be made up ("conv1", "relu1", "pool1", "dense1", counted per
/// kind). Returns the first misfit, and then the network is only partly filled.
std::optional<Misfit> infer(Network& network);

/// Reads a network from JSON text (format: models/network/README.md). `where` names the file in
/// errors. Throws ConfigError: unknown or missing keys, impossible shapes (naming the layer).
Network parse_network(const std::string& text, const std::string& where);

/// `name_or_path` is a network of the zoo ("fashion-cnn") or a JSON file. Throws ConfigError, with
/// a suggestion when a name of the zoo is near.
Network load_network(const std::string& name_or_path);

/// The JSON text of a network, such that parse_network(to_json(n)) is n.
std::string to_json(const Network& network);

}  // namespace lockstep::network
