// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/model.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "exec/kernels/convolution.h"
#include "exec/kernels/dense.h"
#include "exec/kernels/max_pool.h"
#include "exec/kernels/relu.h"
#include "exec/kernels/share.h"
#include "exec/kernels/softmax_cross_entropy.h"
#include "exec/kernels/tile.h"
#include "models/base/errors.h"
#include "models/base/random.h"

namespace lockstep::exec {

using network::Layer;
using network::LayerKind;

namespace {

/// Floats from one image to the next: an odd number of cache lines, so that the same element of
/// many images doesn't fall into the same set of a cache.
std::size_t image_stride(const network::Shape& shape) {
  constexpr std::size_t kLine = 16;
  return (pieces(static_cast<std::size_t>(shape.elements()), kLine) | 1) * kLine;
}

std::size_t index_of(int layer) {
  return static_cast<std::size_t>(layer);
}

}  // namespace

Model::Model(const network::Network& network, int max_batch, int threads)
    : network_(network),
      max_batch_(static_cast<std::size_t>(max_batch)),
      parameter_count_(static_cast<std::size_t>(network.parameter_count)),
      team_(threads),
      parameters_(parameter_count_ + kTileColumns),
      gradients_(parameter_count_ + kTileColumns),
      layers_(network.layers.size()) {
  LOCKSTEP_CHECK(max_batch >= 0 && !network.layers.empty(), std::to_string(max_batch));
  place_parameters();
  place_activations();
  place_gradients();
  float* scratch = new_buffer(scratch_floats()).data();
  for (LayerBuffers& buffers : layers_)
    buffers.scratch = scratch;
}

FloatBuffer& Model::new_buffer(std::size_t floats) {
  return buffers_.emplace_back(floats + kTileColumns);
}

void Model::place_parameters() {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const std::vector<network::Parameter>& parameters = network_.layers[i].parameters;
    if (parameters.empty()) continue;
    layers_[i].weight = parameters_.data() + parameters[0].first;
    layers_[i].bias = parameters_.data() + parameters[1].first;
    layers_[i].weight_gradient = gradients_.data() + parameters[0].first;
    layers_[i].bias_gradient = gradients_.data() + parameters[1].first;
  }
}

// ReLU works in place, except on the caller's images: no layer needs its own output to go back,
// other than ReLU.
void Model::place_activations() {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = network_.layers[i];
    if (i > 0) layers_[i].input = {layers_[i - 1].output.data, layers_[i - 1].output.stride};
    if (layer.kind == LayerKind::Relu && i > 0) {
      layers_[i].output = layers_[i - 1].output;
      continue;
    }
    const std::size_t stride = image_stride(layer.output);
    layers_[i].output = {new_buffer(max_batch_ * stride).data(), stride};
    if (layer.kind == LayerKind::MaxPool) {
      winners_.emplace_back(max_batch_ * static_cast<std::size_t>(layer.output.elements()));
      layers_[i].winners = winners_.back().data();
    }
  }
}

// A gradient of activations is needed only until the layer before has made its own from it: two
// buffers take turns, and stay in the cache.
void Model::place_gradients() {
  std::size_t largest = 0;
  for (const Layer& layer : network_.layers)
    largest = std::max(largest, image_stride(layer.output));
  float* current = new_buffer(max_batch_ * largest).data();
  float* other = new_buffer(max_batch_ * largest).data();
  score_gradient_ = {current, image_stride(network_.layers.back().output)};
  for (std::size_t i = layers_.size(); i-- > 0;) {
    const Layer& layer = network_.layers[i];
    layers_[i].output_gradient = {current, image_stride(layer.output)};
    if (layer.kind != LayerKind::Relu) std::swap(current, other);
    layers_[i].input_gradient = {current, image_stride(layer.input)};
  }
}

std::size_t Model::scratch_floats() const {
  std::size_t most = 0;
  for (const Layer& layer : network_.layers) {
    if (layer.kind == LayerKind::Convolution) most = std::max(most, convolution_scratch(layer));
    if (layer.kind == LayerKind::Dense) most = std::max(most, dense_scratch(layer, team_.size()));
  }
  return most;
}

void Model::initialise(std::uint64_t seed) {
  for (std::size_t i = 0; i < network_.layers.size(); ++i) {
    const std::vector<network::Parameter>& tensors = network_.layers[i].parameters;
    for (std::size_t tensor = 0; tensor < tensors.size(); ++tensor) {
      Random random(seed, i, tensor);
      const double bound = 1 / std::sqrt(static_cast<double>(tensors[tensor].fan_in));
      float* first = parameters_.data() + tensors[tensor].first;
      std::generate_n(first, tensors[tensor].count,
                      [&] { return static_cast<float>((2 * random.uniform() - 1) * bound); });
    }
  }
}

void Model::bind(const float* images, const std::int32_t* labels, int batch) {
  LOCKSTEP_CHECK(batch >= 0 && static_cast<std::size_t>(batch) <= max_batch_,
                 std::to_string(batch) + " images, room for " + std::to_string(max_batch_));
  layers_.front().input = {images, static_cast<std::size_t>(network_.input.elements())};
  labels_ = labels;
  batch_ = static_cast<std::size_t>(batch);
}

void Model::forward(int layer) {
  if (batch_ == 0) return;
  const Layer& shape = network_.layers[index_of(layer)];
  const LayerBuffers& buffers = layers_[index_of(layer)];
  switch (shape.kind) {
    case LayerKind::Convolution:
      return convolution_forward(shape, buffers, batch_, team_);
    case LayerKind::Dense:
      return dense_forward(shape, buffers, batch_, team_);
    case LayerKind::Relu:
      return relu_forward(shape, buffers, batch_, team_);
    case LayerKind::MaxPool:
      return max_pool_forward(shape, buffers, batch_, team_);
  }
}

double Model::loss(double scale) {
  const Images<float>& scores = layers_.back().output;
  return softmax_cross_entropy({scores.data, scores.stride}, labels_, batch_,
                               static_cast<std::size_t>(network_.classes), scale, score_gradient_);
}

void Model::backward(int layer) {
  const Layer& shape = network_.layers[index_of(layer)];
  const LayerBuffers& buffers = layers_[index_of(layer)];
  if (batch_ == 0) {
    for (const network::Parameter& parameter : shape.parameters)
      std::fill_n(gradients_.data() + parameter.first, parameter.count, 0.0f);
    return;
  }
  switch (shape.kind) {
    case LayerKind::Convolution:
      convolution_parameter_gradient(shape, buffers, batch_, team_);
      if (shape.input_gradient) convolution_input_gradient(shape, buffers, batch_, team_);
      return;
    case LayerKind::Dense:
      dense_parameter_gradient(shape, buffers, batch_, team_);
      if (shape.input_gradient) dense_input_gradient(shape, buffers, batch_, team_);
      return;
    case LayerKind::Relu:
      if (shape.input_gradient) relu_input_gradient(shape, buffers, batch_, team_);
      return;
    case LayerKind::MaxPool:
      if (shape.input_gradient) max_pool_input_gradient(shape, buffers, batch_, team_);
      return;
  }
}

int Model::correct() const {
  const Images<float>& scores = layers_.back().output;
  return count_correct({scores.data, scores.stride}, labels_, batch_,
                       static_cast<std::size_t>(network_.classes));
}

}  // namespace lockstep::exec
