// SPDX-License-Identifier: Apache-2.0
#include "models/network/network.h"

#include <set>

#include "models/base/errors.h"

namespace lockstep::network {

const char* to_string(Loss loss) {
  switch (loss) {
    case Loss::SoftmaxCrossEntropy:
      return "softmax-cross-entropy";
    case Loss::SigmoidCrossEntropy:
      return "sigmoid-cross-entropy";
  }
  return "";
}

std::uint64_t Network::flops_forward() const {
  std::uint64_t sum = 0;
  for (const Layer& layer : layers)
    sum += layer.flops_forward;
  return sum;
}

std::uint64_t Network::flops_backward() const {
  std::uint64_t sum = 0;
  for (const Layer& layer : layers)
    sum += layer.flops_backward;
  return sum;
}

const Layer* Network::fused_pool(const Stage& stage) const {
  if (first_layer(stage).kind != LayerKind::Convolution) return nullptr;
  for (std::int32_t l = stage.first + 1; l <= stage.last; ++l) {
    const Layer& layer = layers[static_cast<std::size_t>(l)];
    if (layer.kind == LayerKind::MaxPool) return &layer;
  }
  return nullptr;
}

std::string Network::signature(const Stage& stage) const {
  std::string text = first_layer(stage).signature();
  if (stage.adds && first_layer(stage).kind != LayerKind::Add) text += ", add";
  if (stage.has_relu && first_layer(stage).kind != LayerKind::Relu) text += ", relu";
  if (const Layer* pool = fused_pool(stage))
    text += ", max-pool " + std::to_string(pool->kernel) + "x" + std::to_string(pool->kernel) +
            "/" + std::to_string(pool->stride);
  return stage.input_gradient ? text : text + ", first";
}

namespace {

std::size_t index(std::int32_t layer) {
  return static_cast<std::size_t>(layer);
}

/// Says what each layer feeds into. Returns the first layer that feeds nothing.
std::optional<Misfit> count_uses(const Network& network, std::vector<std::int32_t>& uses) {
  uses.assign(network.layers.size(), 0);
  for (const Layer& layer : network.layers) {
    if (layer.from != kImages) ++uses[index(layer.from)];
    if (layer.kind == LayerKind::Add && layer.with != kImages) ++uses[index(layer.with)];
  }
  for (std::size_t i = 0; i + 1 < uses.size(); ++i)
    if (uses[i] == 0) return Misfit{i, network.layers[i].name + ": no layer takes its output"};
  return std::nullopt;
}

/// The shape and the gradient's need of what feeds layer `i` (or is added by it).
std::string infer_input(const Network& network, std::size_t i, const std::vector<bool>& learns,
                        Layer& layer) {
  const auto shape_of = [&](std::int32_t l) {
    return l == kImages ? network.input : network.layers[index(l)].output;
  };
  const auto earlier = [&](std::int32_t l) {
    return l >= kImages && l < static_cast<std::int32_t>(i);
  };
  LOCKSTEP_CHECK(earlier(layer.from) && earlier(layer.with), layer.name);
  layer.input = shape_of(layer.from);
  layer.input_gradient = layer.from != kImages && learns[index(layer.from)];
  if (layer.kind != LayerKind::Add || shape_of(layer.with) == layer.input) return {};
  return "adds " + to_string(shape_of(layer.with)) + " to " + to_string(layer.input) +
         ", expected the same shape";
}

/// Whether a layer of this kind can go on a stage that has come to `end`.
bool can_join(const Layer& layer, const Stage& stage, const Layer& begin, const Layer& end) {
  const bool multiplies = begin.kind == LayerKind::Convolution || begin.kind == LayerKind::Dense;
  switch (layer.kind) {
    case LayerKind::Flatten:
      return true;
    case LayerKind::Add:
      return end.kind == LayerKind::BatchNorm;
    case LayerKind::Relu:
      return !stage.has_relu && ((multiplies && &begin == &end) ||
                                 end.kind == LayerKind::BatchNorm || end.kind == LayerKind::Add);
    case LayerKind::MaxPool:
      return begin.kind == LayerKind::Convolution &&
             (&begin == &end || end.kind == LayerKind::Relu) && layer.padding == 0 &&
             layer.stride >= layer.kernel;
    case LayerKind::Convolution:
    case LayerKind::Dense:
    case LayerKind::BatchNorm:
    case LayerKind::AveragePool:
    case LayerKind::GlobalAveragePool:
    case LayerKind::Dropout:
      return false;
  }
  return false;
}

void infer_stages(Network& network, const std::vector<std::int32_t>& uses,
                  const std::vector<bool>& learns) {
  std::vector<std::int32_t> stage_of;  // by layer
  const auto stage_at = [&](std::int32_t layer) {
    return layer == kImages ? kImages : stage_of[index(layer)];
  };
  network.stages.clear();
  network.sum_count = 0;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    const auto number = static_cast<std::int32_t>(i);
    const bool joins = i > 0 && layer.from == number - 1 && uses[i - 1] == 1 &&
                       can_join(layer, network.stages.back(),
                                network.first_layer(network.stages.back()), network.layers[i - 1]);
    if (!joins) {
      network.stages.push_back({.first = number,
                                .input = stage_at(layer.from),
                                .input_gradient = layer.input_gradient,
                                .sums = network.sum_count});
      if (layer.kind == LayerKind::BatchNorm)
        network.sum_count += 4 * static_cast<std::uint64_t>(layer.output.channels);
    }
    Stage& stage = network.stages.back();
    stage.last = number;
    stage_of.push_back(static_cast<std::int32_t>(network.stages.size() - 1));
    stage.has_relu |= layer.kind == LayerKind::Relu;
    if (layer.kind == LayerKind::Add) {
      stage.adds = true;
      stage.residual = stage_at(layer.with);
      stage.residual_gradient = layer.with != kImages && learns[index(layer.with)];
    }
  }
}

/// Last layer first (see Network).
void place_parameters(Network& network) {
  network.flat_count = 0;
  for (auto layer = network.layers.rbegin(); layer != network.layers.rend(); ++layer)
    for (Parameter& parameter : layer->parameters) {
      parameter.first = network.flat_count;
      network.flat_count += parameter.count;
    }
}

}  // namespace

std::optional<Misfit> infer(Network& network) {
  std::set<std::string> names;
  std::vector<bool> learns;  // by layer: whether its output depends on anything that is learnt
  std::uint64_t flat_count = 0;
  network.parameter_count = 0;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    Layer& layer = network.layers[i];
    if (!names.insert(layer.name).second)
      return Misfit{i, layer.name + ": another layer has this name already"};
    std::string problem = infer_input(network, i, learns, layer);
    if (problem.empty()) problem = infer_layer(layer);
    if (!problem.empty()) return Misfit{i, layer.name + ": " + problem};
    for (const Parameter& parameter : layer.parameters)
      network.parameter_count += parameter.learnt ? parameter.count : 0;
    flat_count += layer.flat_count();
    if (flat_count > kMaxParameters)
      return Misfit{i, layer.name + ": up to here the network has " + std::to_string(flat_count) +
                           " parameters, more than " + std::to_string(kMaxParameters)};
    const bool with_learns = layer.with != kImages && learns[index(layer.with)];
    learns.push_back(!layer.parameters.empty() || layer.input_gradient || with_learns);
  }
  std::vector<std::int32_t> uses;
  if (auto misfit = count_uses(network, uses)) return misfit;
  const Shape scores{1, 1, network.scores()};
  if (const Layer& last = network.layers.back(); last.output != scores)
    return Misfit{
        network.layers.size() - 1,
        last.name + ": as the last layer it must give " +
            (network.loss == Loss::SigmoidCrossEntropy
                 ? std::string("the one score of sigmoid cross-entropy")
                 : "one score for each of the " + std::to_string(network.classes) + " classes") +
            ", its output is " + to_string(last.output)};
  if (network.flat_count = flat_count; flat_count == 0)
    return Misfit{network.layers.size() - 1, network.layers.back().name +
                                                 ": as no layer has parameters, there is nothing "
                                                 "to train"};
  place_parameters(network);
  infer_stages(network, uses, learns);
  return std::nullopt;
}

}  // namespace lockstep::network
