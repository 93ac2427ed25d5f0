// SPDX-License-Identifier: Apache-2.0
// A convolutional network as data: layers, what feeds what, and which of them are carried out
// together. No arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/network/layer.h"

namespace lockstep::network {

enum class Loss : std::uint8_t {
  SoftmaxCrossEntropy,  // of one score per class
  SigmoidCrossEntropy,  // binary: of one score; class 1 where it is positive
};

/// The word in JSON: "softmax-cross-entropy", "sigmoid-cross-entropy".
const char* to_string(Loss loss);

/// Layers `first` … `last`, which are carried out together, as one row of the work table in each
/// direction: what one of them leaves, the next one takes up while it is still near. Each but the
/// first is fed by the one before, which feeds nothing else. They are
///   a convolution, then ReLU, then a max-pool whose windows don't overlap, as far as there;
///   a dense layer, then ReLU;
///   a batch normalisation, then an addition, then ReLU; an addition, then ReLU;
///   or any layer alone; and a flatten behind, which moves nothing.
/// So only the first layer can have parameters, and only an addition takes in a second output.
struct Stage {
  std::int32_t first = 0;
  std::int32_t last = 0;
  std::int32_t input = kImages;     // the stage that feeds it
  std::int32_t residual = kImages;  // with an addition: the stage whose output it adds
  bool adds = false;
  bool has_relu = false;
  bool input_gradient = false;     // where something that is learnt depends on it
  bool residual_gradient = false;  // likewise
  /// Where its sums begin among all sums that batch normalisation takes: two per channel forward,
  /// then two per channel backward. Only with a BatchNorm.
  std::uint64_t sums = 0;

  friend bool operator==(const Stage&, const Stage&) = default;
};

/// A classifier: layers, each fed by earlier ones, and a loss at the end.
///
/// The flat parameter and gradient buffers hold the *last* layer first, so that gradients that are
/// ready early lie together at the front, and a bucket is one contiguous slice. Within a layer: in
/// the order of Layer::parameters.
struct Network {
  std::string name;
  Shape input;
  std::int32_t classes = 0;
  Loss loss = Loss::SoftmaxCrossEntropy;
  std::vector<Layer> layers;
  std::vector<Stage> stages;
  std::uint64_t parameter_count = 0;  // learnt
  std::uint64_t flat_count = 0;       // elements of the flat buffers: also what is only tracked
  std::uint64_t sum_count = 0;        // of all sums that batch normalisation takes

  std::uint64_t flops_forward() const;   // of one image
  std::uint64_t flops_backward() const;  // of one image

  std::int32_t scores() const { return loss == Loss::SigmoidCrossEntropy ? 1 : classes; }
  const Layer& first_layer(const Stage& stage) const {
    return layers[static_cast<std::size_t>(stage.first)];
  }
  const Layer& last_layer(const Stage& stage) const {
    return layers[static_cast<std::size_t>(stage.last)];
  }
  /// The stage's max-pool behind a convolution, or null.
  const Layer* fused_pool(const Stage& stage) const;
  bool normalises(const Stage& stage) const {
    return first_layer(stage).kind == LayerKind::BatchNorm;
  }
  /// Whether the backward pass has anything to do in it.
  bool has_backward(const Stage& stage) const {
    return stage.input_gradient || stage.residual_gradient ||
           !first_layer(stage).parameters.empty();
  }
  /// Signatures of its layers, e.g. "conv 3x3/1+0 26x26x32 -> 24x24x64, relu, max-pool 2x2/2":
  /// stages with one signature cost the same. Ends in ", first" without a gradient of the input.
  std::string signature(const Stage& stage) const;

  friend bool operator==(const Network&, const Network&) = default;
};

/// Why layer `layer` cannot stand where it stands.
struct Misfit {
  std::size_t layer = 0;
  std::string explanation;  // begins with the layer's name
};

/// Infers everything that follows from what a file says, which is: the network's name, input,
/// classes and loss, and of each layer name, kind, from, with, kernel, stride, padding, groups,
/// bias, rate and `output.channels` (Convolution, Dense). Returns the first misfit, and then the
/// network is only partly filled.
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
