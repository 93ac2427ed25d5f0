// SPDX-License-Identifier: Apache-2.0
#include "exec/training/tensor_order.h"

#include <numeric>

namespace lockstep::exec {
namespace {

using network::Layer;
using network::LayerKind;
using network::Network;
using network::Shape;

std::vector<std::uint64_t> natural(std::uint64_t count) {
  std::vector<std::uint64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), std::uint64_t{0});
  return numbers;
}

/// The file's number of each element of a map, whose channels have the numbers `channels`.
std::vector<std::uint64_t> flattened(const Shape& map, const std::vector<std::uint64_t>& channels) {
  std::vector<std::uint64_t> numbers;
  const std::uint64_t positions = map.elements() / channels.size();
  for (std::uint64_t position = 0; position < positions; ++position)
    for (const std::uint64_t channel : channels)
      numbers.push_back(channel * positions + position);
  return numbers;
}

/// The file's number of each channel of what a layer puts out.
std::vector<std::uint64_t> channels_of(const Network& network, std::int32_t number) {
  if (number == network::kImages)
    return natural(static_cast<std::uint64_t>(network.input.channels));
  const Layer& layer = network.layers[static_cast<std::size_t>(number)];
  switch (layer.kind) {
    case LayerKind::Convolution:
    case LayerKind::Dense:
      return natural(static_cast<std::uint64_t>(layer.output.channels));
    case LayerKind::Flatten:
      return flattened(layer.input, channels_of(network, layer.from));
    case LayerKind::BatchNorm:
    case LayerKind::Relu:
    case LayerKind::MaxPool:
    case LayerKind::AveragePool:
    case LayerKind::GlobalAveragePool:
    case LayerKind::Dropout:
    case LayerKind::Add:
      return channels_of(network, layer.from);
  }
  return {};
}

}  // namespace

TensorOrder::TensorOrder(const Network& network, std::size_t number, std::size_t tensor) {
  const Layer& layer = network.layers[number];
  const auto outputs = static_cast<std::uint64_t>(layer.output.channels);
  if (layer.parameters[tensor].shape.size() == 1) {  // one number for each channel put out
    outputs_ = channels_of(network, static_cast<std::int32_t>(number));
    inputs_ = {0};
    file_shape_ = {outputs};
    return;
  }
  outputs_ = natural(outputs);
  if (layer.kind == LayerKind::Dense) {
    inputs_ = flattened(layer.input, channels_of(network, layer.from));
    file_shape_ = {outputs, inputs_.size()};
    return;
  }
  // With groups the inputs are counted within each: whoever flattens in front of one is on his own.
  inputs_ = layer.groups > 1 ? natural(static_cast<std::uint64_t>(layer.parameters[0].shape[2]))
                             : channels_of(network, layer.from);
  const auto kernel = static_cast<std::uint64_t>(layer.kernel);
  positions_ = kernel * kernel;
  file_shape_ = {outputs, inputs_.size(), kernel, kernel};
}

}  // namespace lockstep::exec
