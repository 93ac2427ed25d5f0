// SPDX-License-Identifier: Apache-2.0
// One layer of a convolutional network as data: shape, learnt tensors, FLOPs. No arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>
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

enum class LayerKind : std::uint8_t {
  Convolution,
  Dense,
  BatchNorm,  // to mean 0 and variance 1 over the batch, per channel; then · weight + bias
  Relu,
  MaxPool,            // padding never wins
  AveragePool,        // padding counts as zeros
  GlobalAveragePool,  // over all positions
  Dropout,  // zero with probability `rate`, else · 1/(1 − rate); the identity in testing
  Flatten,  // 1 × 1 × features, in the order height, width, channel
  Add       // the outputs of two layers
};
inline constexpr std::size_t kLayerKinds = 10;

/// The kind's word in JSON and in messages: "convolution", "batch-norm", "max-pool".
const char* to_string(LayerKind kind);

/// As PyTorch's defaults: what is added to the variance before its root is taken, and the weight of
/// the batch at hand in the running mean and variance.
inline constexpr double kBatchNormEpsilon = 1e-5;
inline constexpr double kBatchNormMomentum = 0.1;

/// One tensor of a layer, and where it lies in the flat parameter and gradient buffers.
/// The output channel is the last, fastest axis: with activations in channels-last order neither
/// the forward pass nor the gradient of the weights has to transpose anything.
struct Parameter {
  std::string name;                 // "conv1.weight"
  std::vector<std::int32_t> shape;  // Convolution: kernel × kernel × in/groups × out; Dense:
                                    // in × out; BatchNorm and biases: out
  std::uint64_t first = 0;          // index of its first element in the flat buffers
  std::uint64_t count = 0;          // product of `shape`
  std::uint64_t fan_in = 0;         // inputs of one output: what the initial values are scaled by
  /// false: a running mean or variance of BatchNorm. It lies among the parameters because it is
  /// kept, reduced over the ranks and updated like them; its "gradient" is the batch's mean or
  /// variance, weighted by the rank's share of the batch, and the update moves it towards that.
  bool learnt = true;

  /// A matrix or more: not a bias, nor what normalises, which rules of optimizers and codecs leave
  /// alone.
  bool is_weight() const { return shape.size() > 1; }
  friend bool operator==(const Parameter&, const Parameter&) = default;
};

/// Stands for the images where the number of a layer, or of a stage, is asked for.
inline constexpr std::int32_t kImages = -1;

struct Layer {
  LayerKind kind = LayerKind::Relu;
  std::string name;             // unique in the network; "conv1" unless the file names it
  std::int32_t from = kImages;  // the layer whose output is its input
  std::int32_t with = kImages;  // Add: the layer whose output it adds to that
  std::int32_t kernel = 0;      // Convolution, MaxPool, AveragePool: a kernel × kernel window
  std::int32_t stride = 1;      // likewise
  std::int32_t padding = 0;     // likewise: rows and columns added at each edge
  std::int32_t groups = 1;      // Convolution: outputs of a group see the inputs of that group only
  bool bias = true;             // Convolution
  double rate = 0;              // Dropout
  Shape input;
  Shape output;
  bool input_gradient = true;         // false where nothing that is learnt depends on it
  std::vector<Parameter> parameters;  // Convolution, Dense: weight, then bias if there is one;
                                      // BatchNorm: weight, bias, running_mean, running_var

  /// FLOPs of one image; a multiply-add is two. Only convolutions and dense layers count, and what
  /// they multiply with padding counts too. The backward pass needs twice the forward's (gradients
  /// of the input and of the weights), or as much where nobody needs the input's gradient.
  std::uint64_t flops_forward = 0;
  std::uint64_t flops_backward = 0;

  /// Of all its tensors, running means and variances included.
  std::uint64_t flat_count() const;
  /// The layer without its name: two layers with one signature do the same arithmetic, so that
  /// they cost the same. "conv 3x3/1+0 26x26x32 -> 24x24x64".
  std::string signature() const;

  friend bool operator==(const Layer&, const Layer&) = default;
};

/// Bounds that keep every product of sizes within 64 bits and every index within 32.
inline constexpr std::int32_t kMaxSize = 65'536;  // height, width, channels, features, stride
inline constexpr std::int32_t kMaxKernel = 255;
inline constexpr std::int32_t kMaxPoolKernel = 15;       // a place in the window fits into a byte
inline constexpr std::uint64_t kMaxElements = 1u << 28;  // of one activation of one image
inline constexpr std::uint64_t kMaxParameters = (1u << 31) - 1;

/// Fills in `output`, `parameters` (but where they lie) and the FLOPs from what the file says and
/// from `input` and `input_gradient`. Returns what is wrong with the layer, or nothing.
std::string infer_layer(Layer& layer);

}  // namespace lockstep::network
