// SPDX-License-Identifier: Apache-2.0
#include "models/network/network.h"

#include <array>
#include <set>

#include "models/base/errors.h"

namespace lockstep::network {

std::string to_string(const Shape& shape) {
  return std::to_string(shape.height) + "x" + std::to_string(shape.width) + "x" +
         std::to_string(shape.channels);
}

const char* to_string(LayerKind kind) {
  switch (kind) {
    case LayerKind::Convolution:
      return "convolution";
    case LayerKind::Dense:
      return "dense";
    case LayerKind::Relu:
      return "relu";
    case LayerKind::MaxPool:
      return "max-pool";
  }
  return "";
}

std::uint64_t Layer::parameter_count() const {
  std::uint64_t sum = 0;
  for (const Parameter& parameter : parameters)
    sum += parameter.count;
  return sum;
}

std::string Layer::signature() const {
  const std::string size = std::to_string(kernel);
  const std::string window = size + "x" + size + "/" + std::to_string(stride);
  std::string text;
  switch (kind) {
    case LayerKind::Convolution:
      text = "conv " + window + "+" + std::to_string(padding) + " " + to_string(input) + " -> " +
             to_string(output);
      break;
    case LayerKind::Dense:  // the input is flattened: only its size matters
      text = "dense " + std::to_string(input.elements()) + " -> " + std::to_string(output.channels);
      break;
    case LayerKind::Relu:
      text = "relu " + std::to_string(input.elements());
      break;
    case LayerKind::MaxPool:
      text = "max-pool " + window + " " + to_string(input) + " -> " + to_string(output);
      break;
  }
  return input_gradient ? text : text + ", first";
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

namespace {

/// Number of windows along one axis; 0 when not even one fits.
std::int32_t windows(std::int32_t size, const Layer& layer) {
  const std::int32_t room = size + 2 * layer.padding - layer.kernel;
  return room < 0 ? 0 : room / layer.stride + 1;
}

/// The output's shape from the input's. Returns what is wrong with it, or nothing.
std::string infer_output(Layer& layer) {
  const Shape& input = layer.input;
  switch (layer.kind) {
    case LayerKind::Convolution:
    case LayerKind::MaxPool:
      LOCKSTEP_CHECK(layer.kernel > 0 && layer.stride > 0 && layer.padding >= 0, layer.name);
      if (layer.kind == LayerKind::MaxPool) layer.output.channels = input.channels;
      if (layer.padding >= layer.kernel)
        return "the padding (" + std::to_string(layer.padding) +
               ") must be smaller than the kernel (" + std::to_string(layer.kernel) +
               "), or windows would see nothing but zeros";
      layer.output.height = windows(input.height, layer);
      layer.output.width = windows(input.width, layer);
      if (layer.output.height == 0 || layer.output.width == 0)
        return "its " + std::to_string(layer.kernel) + "x" + std::to_string(layer.kernel) +
               " window does not fit into its input of " + to_string(input) +
               (layer.padding > 0 ? " with padding " + std::to_string(layer.padding) : "");
      break;
    case LayerKind::Dense:
      layer.output.height = 1;
      layer.output.width = 1;
      break;
    case LayerKind::Relu:
      layer.output = input;
      break;
  }
  if (layer.output.elements() > kMaxElements)
    return "its output of " + to_string(layer.output) + " has more than " +
           std::to_string(kMaxElements) + " elements";
  return {};
}

/// Weight and bias of a Convolution or Dense layer; `first` comes later. Returns what is wrong.
std::string infer_parameters(Layer& layer) {
  const std::int32_t outputs = layer.output.channels;
  const auto inputs = static_cast<std::int32_t>(layer.input.elements());
  std::uint64_t fan_in = 0;
  std::vector<std::int32_t> shape;
  switch (layer.kind) {
    case LayerKind::Relu:
    case LayerKind::MaxPool:
      return {};
    case LayerKind::Convolution:
      fan_in = Shape{layer.kernel, layer.kernel, layer.input.channels}.elements();
      shape = {layer.kernel, layer.kernel, layer.input.channels, outputs};
      break;
    case LayerKind::Dense:
      fan_in = layer.input.elements();
      shape = {inputs, outputs};
      break;
  }
  const std::uint64_t count = fan_in * static_cast<std::uint64_t>(outputs);
  if (count > kMaxParameters)
    return "its " + std::to_string(count) + " weights are more than " +
           std::to_string(kMaxParameters);
  layer.parameters = {
      {layer.name + ".weight", shape, 0, count, fan_in},
      {layer.name + ".bias", {outputs}, 0, static_cast<std::uint64_t>(outputs), fan_in}};
  return {};
}

/// FLOPs and bytes of one image (see Layer).
void count_work(Layer& layer) {
  constexpr std::uint64_t kFloat = 4;
  const std::uint64_t input = kFloat * layer.input.elements();
  const std::uint64_t output = kFloat * layer.output.elements();
  const std::uint64_t input_gradient = layer.input_gradient ? input : 0;
  layer.bytes_forward = input + output;
  switch (layer.kind) {
    case LayerKind::Convolution:
    case LayerKind::Dense: {
      const std::uint64_t outputs = layer.output.elements();
      layer.flops_forward = 2 * layer.parameters.front().fan_in * outputs;
      layer.flops_backward = (layer.input_gradient ? 2 : 1) * layer.flops_forward;
      layer.bytes_backward = output + input + input_gradient;  // gradient, input → gradient
      break;
    }
    case LayerKind::Relu:     // gradient and sign of the output → gradient
    case LayerKind::MaxPool:  // gradient and place of the maximum → gradient
      layer.bytes_backward = layer.input_gradient ? 2 * output + input_gradient : 0;
      break;
  }
}

std::string default_name(LayerKind kind, std::array<int, 4>& counters) {
  constexpr std::array<const char*, 4> kPrefix{"conv", "dense", "relu", "pool"};
  const auto index = static_cast<std::size_t>(kind);
  return kPrefix[index] + std::to_string(counters[index]);
}

}  // namespace

std::optional<Misfit> infer(Network& network) {
  std::set<std::string> names;
  std::array<int, 4> counters{};
  Shape shape = network.input;
  network.parameter_count = 0;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    Layer& layer = network.layers[i];
    ++counters[static_cast<std::size_t>(layer.kind)];
    if (layer.name.empty()) layer.name = default_name(layer.kind, counters);
    if (!names.insert(layer.name).second)
      return Misfit{i, layer.name + ": another layer has this name already"};
    layer.input = shape;
    layer.input_gradient = i > 0;
    std::string problem = infer_output(layer);
    if (problem.empty()) problem = infer_parameters(layer);
    if (!problem.empty()) return Misfit{i, layer.name + ": " + problem};
    count_work(layer);
    network.parameter_count += layer.parameter_count();
    if (network.parameter_count > kMaxParameters)
      return Misfit{i, layer.name + ": up to here the network has " +
                           std::to_string(network.parameter_count) + " parameters, more than " +
                           std::to_string(kMaxParameters)};
    shape = layer.output;
  }
  if (const Shape scores{1, 1, network.classes}; !network.layers.empty() && shape != scores)
    return Misfit{network.layers.size() - 1, network.layers.back().name +
                                                 ": as the last layer it must give one score for " +
                                                 "each of the " + std::to_string(network.classes) +
                                                 " classes, its output is " + to_string(shape)};
  std::uint64_t first = 0;
  for (auto layer = network.layers.rbegin(); layer != network.layers.rend(); ++layer)
    for (Parameter& parameter : layer->parameters) {
      parameter.first = first;
      first += parameter.count;
    }
  return std::nullopt;
}

}  // namespace lockstep::network
