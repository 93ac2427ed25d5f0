// SPDX-License-Identifier: Apache-2.0
#include "models/network/work.h"

namespace lockstep::network {

namespace {

/// Bytes of activations and their gradients that a stage's row moves for one image. Going back, a
/// ReLU's output tells where it was zero, and a max-pool keeps a byte for each output.
double activation_bytes(const Work& work, const Network& network) {
  const Stage& stage = network.stages[static_cast<std::size_t>(work.stage)];
  const Layer& first = network.first_layer(stage);
  const double input = 4.0 * static_cast<double>(first.input.elements());
  const double output = 4.0 * static_cast<double>(network.last_layer(stage).output.elements());
  const bool multiplies = !first.parameters.empty() && !network.normalises(stage);
  const bool pools = network.fused_pool(stage) || first.kind == LayerKind::MaxPool;
  switch (work.kind) {
    case WorkKind::Sums:
      return input;
    case WorkKind::Forward:
      return input + output + (stage.adds ? output : 0) + (pools ? output / 4 : 0);
    case WorkKind::GradientSums:  // the masked gradient is the added stage's
      return input + output + (stage.has_relu ? 2 * output : 0);
    case WorkKind::Backward:
      if (network.normalises(stage)) return output + input + (stage.input_gradient ? input : 0);
      return output +
             (pools            ? output / 4
              : stage.has_relu ? output
                               : 0) +
             (multiplies ? input : 0) + (stage.input_gradient ? input : 0);
    case WorkKind::Input:
    case WorkKind::Loss:
    case WorkKind::Update:
      break;
  }
  return 0;
}

}  // namespace

Quantities quantities(const Work& work, const Network& network) {
  const double pixels = static_cast<double>(network.input.elements());
  switch (work.kind) {
    case WorkKind::Input:
      // One byte read, one float written. Decoding takes as long as some 300 FLOPs at their peak
      // for each pixel of the file (measured on Zen 4), which has at least the network's pixels.
      return {(work.input == InputKind::Jpeg ? 301 : 1) * pixels, 5 * pixels, 0};
    case WorkKind::Loss:
      return {8.0 * network.scores(), 8.0 * network.scores(), 0};
    case WorkKind::Update:  // parameter and velocity read and written, gradient read
      return {4, 20, 0};
    case WorkKind::Sums:
    case WorkKind::GradientSums:
      return {0, activation_bytes(work, network), 0};
    case WorkKind::Forward:
    case WorkKind::Backward:
      break;
  }
  const Layer& layer = network.first_layer(network.stages[static_cast<std::size_t>(work.stage)]);
  const bool forward = work.kind == WorkKind::Forward;
  return {static_cast<double>(forward ? layer.flops_forward : layer.flops_backward),
          activation_bytes(work, network),
          (forward ? 4.0 : 8.0) * static_cast<double>(layer.flat_count())};
}

}  // namespace lockstep::network
