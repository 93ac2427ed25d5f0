// SPDX-License-Identifier: Apache-2.0
#include "models/network/layer.h"

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
    case LayerKind::BatchNorm:
      return "batch-norm";
    case LayerKind::Relu:
      return "relu";
    case LayerKind::MaxPool:
      return "max-pool";
    case LayerKind::AveragePool:
      return "average-pool";
    case LayerKind::GlobalAveragePool:
      return "global-average-pool";
    case LayerKind::Dropout:
      return "dropout";
    case LayerKind::Flatten:
      return "flatten";
    case LayerKind::Add:
      return "add";
  }
  return "";
}

std::uint64_t Layer::flat_count() const {
  std::uint64_t sum = 0;
  for (const Parameter& parameter : parameters)
    sum += parameter.count;
  return sum;
}

std::string Layer::signature() const {
  const std::string size = std::to_string(kernel);
  const std::string window = size + "x" + size + "/" + std::to_string(stride);
  const std::string padded = window + "+" + std::to_string(padding);
  const std::string shapes = " " + to_string(input) + " -> " + to_string(output);
  switch (kind) {
    case LayerKind::Convolution:
      return "conv " + padded + shapes + (groups > 1 ? " of " + std::to_string(groups) : "");
    case LayerKind::Dense:  // the input is flattened: only its size matters
      return "dense " + std::to_string(input.elements()) + " -> " + std::to_string(output.channels);
    case LayerKind::BatchNorm:
      return "batch-norm " + to_string(input);
    case LayerKind::Relu:
      return "relu " + std::to_string(input.elements());
    case LayerKind::MaxPool:
      return "max-pool " + (padding > 0 ? padded : window) + shapes;
    case LayerKind::AveragePool:
      return "average-pool " + (padding > 0 ? padded : window) + shapes;
    case LayerKind::GlobalAveragePool:
      return "global-average-pool " + to_string(input);
    case LayerKind::Dropout:
      return "dropout " + std::to_string(input.elements());
    case LayerKind::Flatten:
      return "flatten " + std::to_string(input.elements());
    case LayerKind::Add:
      return "add " + std::to_string(input.elements());
  }
  return "";
}

namespace {

/// Number of windows along one axis; 0 when not even one fits.
std::int32_t windows(std::int32_t size, const Layer& layer) {
  const std::int32_t room = size + 2 * layer.padding - layer.kernel;
  return room < 0 ? 0 : room / layer.stride + 1;
}

std::string infer_windows(Layer& layer) {
  const Shape& input = layer.input;
  LOCKSTEP_CHECK(layer.kernel > 0 && layer.stride > 0 && layer.padding >= 0, layer.name);
  const bool pools = layer.kind != LayerKind::Convolution;
  if (pools) layer.output.channels = input.channels;
  if (layer.padding >= layer.kernel)
    return "the padding (" + std::to_string(layer.padding) + ") must be smaller than the kernel (" +
           std::to_string(layer.kernel) + "), or windows would see nothing but zeros";
  layer.output.height = windows(input.height, layer);
  layer.output.width = windows(input.width, layer);
  if (layer.output.height == 0 || layer.output.width == 0)
    return "its " + std::to_string(layer.kernel) + "x" + std::to_string(layer.kernel) +
           " window does not fit into its input of " + to_string(input) +
           (layer.padding > 0 ? " with padding " + std::to_string(layer.padding) : "");
  if (input.channels % layer.groups != 0 || layer.output.channels % layer.groups != 0)
    return "its " + std::to_string(input.channels) + " input and " +
           std::to_string(layer.output.channels) + " output channels cannot be split into " +
           std::to_string(layer.groups) + " groups";
  return {};
}

/// The output's shape from the input's. Returns what is wrong with it, or nothing.
std::string infer_output(Layer& layer) {
  switch (layer.kind) {
    case LayerKind::Convolution:
    case LayerKind::MaxPool:
    case LayerKind::AveragePool:
      if (std::string problem = infer_windows(layer); !problem.empty()) return problem;
      break;
    case LayerKind::Dense:
      layer.output.height = 1;
      layer.output.width = 1;
      break;
    case LayerKind::GlobalAveragePool:
      layer.output = {1, 1, layer.input.channels};
      break;
    case LayerKind::Flatten:
      if (layer.input.elements() > static_cast<std::uint64_t>(INT32_MAX)) break;
      layer.output = {1, 1, static_cast<std::int32_t>(layer.input.elements())};
      break;
    case LayerKind::BatchNorm:
    case LayerKind::Relu:
    case LayerKind::Dropout:
    case LayerKind::Add:
      layer.output = layer.input;
      break;
  }
  if (layer.output.elements() > kMaxElements)
    return "its output of " + to_string(layer.output) + " has more than " +
           std::to_string(kMaxElements) + " elements";
  return {};
}

/// Where they lie comes later. Returns what is wrong.
std::string infer_parameters(Layer& layer) {
  const std::int32_t outputs = layer.output.channels;
  const auto vector = [&](const char* tensor, std::uint64_t fan_in, bool learnt) {
    return Parameter{
        layer.name + tensor, {outputs}, 0, static_cast<std::uint64_t>(outputs), fan_in, learnt};
  };
  layer.parameters.clear();
  if (layer.kind == LayerKind::BatchNorm) {
    layer.parameters = {vector(".weight", 1, true), vector(".bias", 1, true),
                        vector(".running_mean", 1, false), vector(".running_var", 1, false)};
    return {};
  }
  if (layer.kind != LayerKind::Convolution && layer.kind != LayerKind::Dense) return {};
  std::uint64_t fan_in = layer.input.elements();
  std::vector<std::int32_t> shape{static_cast<std::int32_t>(fan_in), outputs};
  if (layer.kind == LayerKind::Convolution) {
    const std::int32_t inputs = layer.input.channels / layer.groups;
    fan_in = Shape{layer.kernel, layer.kernel, inputs}.elements();
    shape = {layer.kernel, layer.kernel, inputs, outputs};
  }
  const std::uint64_t count = fan_in * static_cast<std::uint64_t>(outputs);
  if (count > kMaxParameters)
    return "its " + std::to_string(count) + " weights are more than " +
           std::to_string(kMaxParameters);
  layer.parameters = {{layer.name + ".weight", shape, 0, count, fan_in}};
  if (layer.bias) layer.parameters.push_back(vector(".bias", fan_in, true));
  return {};
}

}  // namespace

std::string infer_layer(Layer& layer) {
  std::string problem = infer_output(layer);
  if (problem.empty()) problem = infer_parameters(layer);
  const bool multiplies = layer.kind == LayerKind::Convolution || layer.kind == LayerKind::Dense;
  if (problem.empty() && multiplies) {
    layer.flops_forward = 2 * layer.parameters.front().fan_in * layer.output.elements();
    layer.flops_backward = (layer.input_gradient ? 2 : 1) * layer.flops_forward;
  }
  return problem;
}

}  // namespace lockstep::network
