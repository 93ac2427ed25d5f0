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
    case WorkKind::Accumulate:
    case WorkKind::PartNorm:
    case WorkKind::WholeNorm:
    case WorkKind::Update:
    case WorkKind::Weigh:
    case WorkKind::Adopt:
    case WorkKind::Apply:
    case WorkKind::HandOut:
      break;
  }
  return 0;
}

/// A parameter and what the optimizer keeps of it are read and written, its gradient is read. LARS
/// reads parameter and gradient twice, LAMB parameter and moments.
Quantities update_quantities(Optimizer optimizer) {
  switch (optimizer) {
    case Optimizer::Sgd:
      return {4, 20, 0};
    case Optimizer::Nesterov:
      return {6, 20, 0};
    case Optimizer::Lars:
      return {9, 28, 0};
    case Optimizer::Lamb:
      return {25, 40, 0};
    case Optimizer::Adam:
      return {14, 28, 0};
  }
  return {};
}

}  // namespace

bool is_per_parameter(WorkKind kind) {
  return kind == WorkKind::Accumulate || kind == WorkKind::PartNorm ||
         kind == WorkKind::WholeNorm || kind == WorkKind::Update || kind == WorkKind::Weigh ||
         kind == WorkKind::Adopt || is_served(kind);
}

std::int64_t units(const Work& work, std::int32_t share) {
  if (is_per_parameter(work.kind)) return static_cast<std::int64_t>(work.count);
  const std::int32_t part =
      work.kind == WorkKind::Input ? (work.micro_batch + 1) % work.micro_batches : work.micro_batch;
  return first_of_part(share, work.micro_batches, part + 1) -
         first_of_part(share, work.micro_batches, part);
}

std::int32_t first_of_part(std::int32_t whole, std::int32_t parts, std::int32_t part) {
  return static_cast<std::int32_t>(std::int64_t{whole} * part / parts);
}

Quantities quantities(const Work& work, const Network& network) {
  const double pixels = static_cast<double>(network.input.elements());
  switch (work.kind) {
    case WorkKind::Input:
      // One byte read, one float written. Decoding takes as long as some 300 FLOPs at their peak
      // for each pixel of the file (measured on Zen 4), which has at least the network's pixels.
      return {(work.input == InputKind::Jpeg ? 301 : 1) * pixels, 5 * pixels, 0};
    case WorkKind::Loss:
      return {8.0 * network.scores(), 8.0 * network.scores(), 0};
    case WorkKind::Accumulate:
      return {1, 12, 0};
    case WorkKind::PartNorm:
    case WorkKind::WholeNorm:
      return {2, 4, 0};
    case WorkKind::Update:
    case WorkKind::Apply:
      return update_quantities(work.optimizer);
    case WorkKind::Weigh:
    case WorkKind::Adopt:
    case WorkKind::HandOut:
      return {1, 8, 0};
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
