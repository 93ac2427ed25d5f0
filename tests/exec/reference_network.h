// SPDX-License-Identifier: Apache-2.0
// A network in double precision by the plainest loops there are, layer by layer: what the kernels
// are compared with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "exec/kernels/elementwise.h"
#include "models/base/random.h"
#include "models/network/network.h"

namespace lockstep::exec {

using Numbers = std::vector<double>;

/// Activations and their gradients of a batch, image after image.
class ReferenceNetwork {
 public:
  explicit ReferenceNetwork(network::Network network, DropoutDraw draw = {})
      : network_(std::move(network)), draw_(draw) {}

  /// Σ over the batch of the loss; with `gradients`, adds the gradient of `scale` times it. Of what
  /// is tracked that is `scale` times the number of images times the batch's mean and variance.
  double loss(const Numbers& parameters, const std::vector<float>& images,
              const std::vector<std::int32_t>& labels, double scale = 1,
              Numbers* gradients = nullptr) {
    batch_ = labels.size();
    scale_ = scale;
    outputs_.clear();
    images_.assign(images.begin(), images.end());
    for (const network::Layer& layer : network_.layers)
      outputs_.push_back(forward(layer, parameters));
    Numbers gradient(outputs_.back().size());
    const double sum = loss_of(labels, gradient);
    if (gradients == nullptr) return sum;
    gradients_.assign(outputs_.size(), {});
    for (std::size_t i = 0; i < outputs_.size(); ++i)
      gradients_[i].assign(outputs_[i].size(), 0.0);
    gradients_.back() = gradient;
    images_gradient_.assign(images_.size(), 0.0);
    for (std::size_t i = outputs_.size(); i-- > 0;)
      backward(network_.layers[i], gradients_[i], parameters, *gradients);
    return sum;
  }

 private:
  using Layer = network::Layer;
  using Kind = network::LayerKind;

  const Numbers& output_of(std::int32_t layer) const {
    return layer == network::kImages ? images_ : outputs_[static_cast<std::size_t>(layer)];
  }
  Numbers& gradient_of(std::int32_t layer) {
    return layer == network::kImages ? images_gradient_
                                     : gradients_[static_cast<std::size_t>(layer)];
  }

  double loss_of(const std::vector<std::int32_t>& labels, Numbers& gradient) const {
    const Numbers& scores = outputs_.back();
    const auto classes = static_cast<std::size_t>(network_.scores());
    double sum = 0;
    for (std::size_t image = 0; image < batch_; ++image) {
      const double* score = scores.data() + image * classes;
      if (network_.loss == network::Loss::SigmoidCrossEntropy) {
        const double probability = 1 / (1 + std::exp(-score[0]));
        sum -= std::log(labels[image] == 1 ? probability : 1 - probability);
        gradient[image] = scale_ * (probability - labels[image]);
        continue;
      }
      double total = 0;
      for (std::size_t c = 0; c < classes; ++c)
        total += std::exp(score[c]);
      const auto label = static_cast<std::size_t>(labels[image]);
      sum += std::log(total) - score[label];
      for (std::size_t c = 0; c < classes; ++c)
        gradient[image * classes + c] =
            scale_ * (std::exp(score[c]) / total - (c == label ? 1 : 0));
    }
    return sum;
  }

  /// Calls visit(output index, input index, weight index, place) for each product of a layer with
  /// weights, and each element of a pooling window, of all images. `place` counts in the window.
  template <typename Visit>
  void for_each_product(const Layer& layer, const Visit& visit) const {
    const network::Shape in = layer.input, out = layer.output;
    for (std::size_t image = 0; image < batch_; ++image) {
      const std::size_t first_in = image * in.elements(), first_out = image * out.elements();
      if (layer.kind == Kind::Dense) {
        for (std::size_t i = 0; i < in.elements(); ++i)
          for (std::size_t n = 0; n < out.elements(); ++n)
            visit(first_out + n, first_in + i, i * out.elements() + n, 0);
        continue;
      }
      const auto at = [](const network::Shape& shape, int y, int x, int c) {
        return static_cast<std::size_t>((y * shape.width + x) * shape.channels + c);
      };
      const bool global = layer.kind == Kind::GlobalAveragePool;
      const int height = global ? in.height : layer.kernel,
                width = global ? in.width : layer.kernel;
      const bool pools = layer.kind != Kind::Convolution;
      const int per_group = in.channels / layer.groups, outputs = out.channels / layer.groups;
      for (int y = 0; y < out.height; ++y)
        for (int x = 0; x < out.width; ++x)
          for (int n = 0; n < out.channels; ++n)
            for (int ky = 0; ky < height; ++ky)
              for (int kx = 0; kx < width; ++kx) {
                const int iy = y * layer.stride + ky - layer.padding;
                const int ix = x * layer.stride + kx - layer.padding;
                if (iy < 0 || iy >= in.height || ix < 0 || ix >= in.width) continue;
                const int place = ky * width + kx;
                for (int c = 0; c < (pools ? 1 : per_group); ++c)
                  visit(first_out + at(out, y, x, n),
                        first_in + at(in, iy, ix, pools ? n : n / outputs * per_group + c),
                        static_cast<std::size_t>((place * per_group + c) * out.channels + n),
                        place);
              }
    }
  }

  /// What an element of a dropout layer is multiplied with.
  Numbers dropout_factors(const Layer& layer) const {
    Numbers factors;
    const auto number = static_cast<std::uint64_t>(&layer - network_.layers.data());
    for (std::size_t image = 0; image < batch_; ++image) {
      Random random(draw_.seed, number << 32 | (draw_.first_image + image), draw_.iteration);
      std::uint64_t bits = 0;
      for (std::size_t i = 0; i < layer.input.elements(); ++i) {
        bits = i % 2 == 0 ? random.next() : bits >> 32;
        const bool dropped = static_cast<double>(bits & 0xFFFFFFFF) < layer.rate * 0x1p32;
        factors.push_back(dropped ? 0 : 1 / (1 - layer.rate));
      }
    }
    return factors;
  }

  struct Moments {
    Numbers mean, variance;
  };
  Moments moments_of(const Layer& layer, const Numbers& input) const {
    const auto channels = static_cast<std::size_t>(layer.input.channels);
    Moments moments{Numbers(channels), Numbers(channels)};
    const double count = static_cast<double>(input.size() / channels);
    for (std::size_t i = 0; i < input.size(); ++i)
      moments.mean[i % channels] += input[i] / count;
    for (std::size_t i = 0; i < input.size(); ++i)
      moments.variance[i % channels] += std::pow(input[i] - moments.mean[i % channels], 2) / count;
    return moments;
  }

  Numbers forward(const Layer& layer, const Numbers& parameters) const {
    const Numbers& input = output_of(layer.from);
    Numbers output(batch_ * layer.output.elements());
    const auto channels = static_cast<std::size_t>(layer.output.channels);
    const double* tensor =
        layer.parameters.empty() ? nullptr : parameters.data() + layer.parameters[0].first;
    switch (layer.kind) {
      case Kind::Convolution:
      case Kind::Dense:
        if (layer.bias)
          for (std::size_t o = 0; o < output.size(); ++o)
            output[o] = parameters[layer.parameters[1].first + o % channels];
        for_each_product(layer, [&](std::size_t o, std::size_t i, std::size_t w, int) {
          output[o] += input[i] * tensor[w];
        });
        break;
      case Kind::BatchNorm: {
        const Moments moments = moments_of(layer, input);
        for (std::size_t i = 0; i < input.size(); ++i) {
          const std::size_t c = i % channels;
          output[i] = (input[i] - moments.mean[c]) /
                          std::sqrt(moments.variance[c] + network::kBatchNormEpsilon) * tensor[c] +
                      tensor[channels + c];
        }
        break;
      }
      case Kind::Relu:
        for (std::size_t o = 0; o < output.size(); ++o)
          output[o] = input[o] > 0 ? input[o] : 0;
        break;
      case Kind::MaxPool:
        output.assign(output.size(), -HUGE_VAL);
        for_each_product(layer, [&](std::size_t o, std::size_t i, std::size_t, int) {
          output[o] = std::fmax(output[o], input[i]);
        });
        break;
      case Kind::AveragePool:
      case Kind::GlobalAveragePool:
        for_each_product(layer, [&](std::size_t o, std::size_t i, std::size_t, int) {
          output[o] += input[i] / window_size(layer);
        });
        break;
      case Kind::Dropout: {
        const Numbers factors = dropout_factors(layer);
        for (std::size_t i = 0; i < output.size(); ++i)
          output[i] = input[i] * factors[i];
        break;
      }
      case Kind::Flatten:
        output = input;
        break;
      case Kind::Add:
        for (std::size_t i = 0; i < output.size(); ++i)
          output[i] = input[i] + output_of(layer.with)[i];
        break;
    }
    return output;
  }

  static double window_size(const Layer& layer) {
    return layer.kind == Kind::GlobalAveragePool ? layer.input.height * layer.input.width
                                                 : layer.kernel * layer.kernel;
  }

  /// Adds to the gradients of the parameters and of what feeds the layer.
  void backward(const Layer& layer, const Numbers& gradient, const Numbers& parameters,
                Numbers& gradients) {
    const Numbers& input = output_of(layer.from);
    Numbers& input_gradient = gradient_of(layer.from);
    const auto channels = static_cast<std::size_t>(layer.output.channels);
    const double* tensor =
        layer.parameters.empty() ? nullptr : parameters.data() + layer.parameters[0].first;
    double* tensor_gradient =
        layer.parameters.empty() ? nullptr : gradients.data() + layer.parameters[0].first;
    switch (layer.kind) {
      case Kind::Convolution:
      case Kind::Dense:
        if (layer.bias)
          for (std::size_t o = 0; o < gradient.size(); ++o)
            gradients[layer.parameters[1].first + o % channels] += gradient[o];
        for_each_product(layer, [&](std::size_t o, std::size_t i, std::size_t w, int) {
          tensor_gradient[w] += input[i] * gradient[o];
          input_gradient[i] += tensor[w] * gradient[o];
        });
        break;
      case Kind::BatchNorm:
        batch_norm_backward(layer, gradient, tensor, tensor_gradient);
        break;
      case Kind::Relu:
        for (std::size_t i = 0; i < input.size(); ++i)
          input_gradient[i] += input[i] > 0 ? gradient[i] : 0;
        break;
      case Kind::MaxPool: {
        std::vector<std::ptrdiff_t> winner(gradient.size(), -1);
        for_each_product(layer, [&](std::size_t o, std::size_t i, std::size_t, int) {
          if (winner[o] < 0 || input[i] > input[static_cast<std::size_t>(winner[o])])
            winner[o] = static_cast<std::ptrdiff_t>(i);
        });
        for (std::size_t o = 0; o < gradient.size(); ++o)
          input_gradient[static_cast<std::size_t>(winner[o])] += gradient[o];
        break;
      }
      case Kind::AveragePool:
      case Kind::GlobalAveragePool:
        for_each_product(layer, [&](std::size_t o, std::size_t i, std::size_t, int) {
          input_gradient[i] += gradient[o] / window_size(layer);
        });
        break;
      case Kind::Dropout: {
        const Numbers factors = dropout_factors(layer);
        for (std::size_t i = 0; i < gradient.size(); ++i)
          input_gradient[i] += gradient[i] * factors[i];
        break;
      }
      case Kind::Flatten:
        for (std::size_t i = 0; i < gradient.size(); ++i)
          input_gradient[i] += gradient[i];
        break;
      case Kind::Add:
        for (std::size_t i = 0; i < gradient.size(); ++i) {
          input_gradient[i] += gradient[i];
          gradient_of(layer.with)[i] += gradient[i];
        }
        break;
    }
  }

  void batch_norm_backward(const Layer& layer, const Numbers& gradient, const double* tensor,
                           double* tensor_gradient) {
    const Numbers& input = output_of(layer.from);
    Numbers& input_gradient = gradient_of(layer.from);
    const auto channels = static_cast<std::size_t>(layer.input.channels);
    const double count = static_cast<double>(input.size() / channels);
    const Moments moments = moments_of(layer, input);
    for (std::size_t c = 0; c < channels; ++c) {
      const double deviation = std::sqrt(moments.variance[c] + network::kBatchNormEpsilon);
      const auto normalised = [&](std::size_t i) {
        return (input[i] - moments.mean[c]) / deviation;
      };
      double sum = 0, product = 0;
      for (std::size_t i = c; i < input.size(); i += channels) {
        sum += gradient[i];
        product += gradient[i] * normalised(i);
      }
      for (std::size_t i = c; i < input.size(); i += channels)
        input_gradient[i] +=
            tensor[c] / deviation * (gradient[i] - sum / count - normalised(i) * product / count);
      tensor_gradient[c] += product;
      tensor_gradient[channels + c] += sum;
      const double share = scale_ * static_cast<double>(batch_);
      tensor_gradient[2 * channels + c] += share * moments.mean[c];
      tensor_gradient[3 * channels + c] +=
          share * moments.variance[c] * (count > 1 ? count / (count - 1) : 1);
    }
  }

  network::Network network_;
  DropoutDraw draw_;
  std::size_t batch_ = 0;
  double scale_ = 1;
  Numbers images_, images_gradient_;
  std::vector<Numbers> outputs_;    // of each layer
  std::vector<Numbers> gradients_;  // of each layer's output
};

}  // namespace lockstep::exec
