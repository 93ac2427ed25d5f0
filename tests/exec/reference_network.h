// SPDX-License-Identifier: Apache-2.0
// A network's loss and gradients the plain way: one loop per sum, in double precision. What the
// kernels are compared with; header only, for tests.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "models/network/network.h"

namespace lockstep::exec {

using Numbers = std::vector<double>;

class ReferenceNetwork {
 public:
  explicit ReferenceNetwork(const network::Network& network) : network_(network) {}

  /// Σ of the cross-entropy over the batch. With `gradients`, adds those of `scale` times the sum.
  double loss(const Numbers& parameters, const std::vector<float>& images,
              const std::vector<std::int32_t>& labels, double scale = 1,
              Numbers* gradients = nullptr) {
    double sum = 0;
    const auto elements = static_cast<std::ptrdiff_t>(network_.input.elements());
    for (std::size_t image = 0; image < labels.size(); ++image) {
      const auto first = images.begin() + static_cast<std::ptrdiff_t>(image) * elements;
      activations_.assign(1, Numbers(first, first + elements));
      for (const network::Layer& layer : network_.layers)
        forward(layer, parameters);
      Numbers gradient = activations_.back();
      double total = 0;
      for (const double score : gradient)
        total += std::exp(score);
      const auto label = static_cast<std::size_t>(labels[image]);
      sum += std::log(total) - gradient[label];
      if (gradients == nullptr) continue;
      for (double& value : gradient)
        value = scale * std::exp(value) / total;
      gradient[label] -= scale;
      for (std::size_t i = network_.layers.size(); i-- > 0;)
        gradient = backward(network_.layers[i], activations_[i], gradient, parameters, *gradients);
    }
    return sum;
  }

 private:
  /// Calls visit(output index, input index, weight index) for each product of a layer with
  /// weights, and visit(output index, input index, 0) for each element of a pooling window.
  template <typename Visit>
  static void for_each_product(const network::Layer& layer, const Visit& visit) {
    const network::Shape in = layer.input, out = layer.output;
    const auto at = [](const network::Shape& shape, int y, int x, int c) {
      return static_cast<std::size_t>((y * shape.width + x) * shape.channels + c);
    };
    if (layer.kind == network::LayerKind::Dense) {
      for (std::size_t i = 0; i < in.elements(); ++i)
        for (std::size_t n = 0; n < out.elements(); ++n)
          visit(n, i, i * out.elements() + n);
      return;
    }
    const bool pool = layer.kind == network::LayerKind::MaxPool;
    for (int y = 0; y < out.height; ++y)
      for (int x = 0; x < out.width; ++x)
        for (int n = 0; n < out.channels; ++n)
          for (int ky = 0; ky < layer.kernel; ++ky)
            for (int kx = 0; kx < layer.kernel; ++kx) {
              const int iy = y * layer.stride + ky - layer.padding;
              const int ix = x * layer.stride + kx - layer.padding;
              if (iy < 0 || iy >= in.height || ix < 0 || ix >= in.width) continue;
              for (int c = pool ? n : 0; c < (pool ? n + 1 : in.channels); ++c)
                visit(at(out, y, x, n), at(in, iy, ix, c),
                      static_cast<std::size_t>(
                          ((ky * layer.kernel + kx) * in.channels + c) * out.channels + n));
            }
  }

  void forward(const network::Layer& layer, const Numbers& parameters) {
    const Numbers& input = activations_.back();
    Numbers output(layer.output.elements());
    switch (layer.kind) {
      case network::LayerKind::Convolution:
      case network::LayerKind::Dense: {
        const double* weight = parameters.data() + layer.parameters[0].first;
        const double* bias = parameters.data() + layer.parameters[1].first;
        for (std::size_t o = 0; o < output.size(); ++o)
          output[o] = bias[o % static_cast<std::size_t>(layer.output.channels)];
        for_each_product(layer, [&](std::size_t o, std::size_t i, std::size_t w) {
          output[o] += input[i] * weight[w];
        });
        break;
      }
      case network::LayerKind::Relu:
        for (std::size_t o = 0; o < output.size(); ++o)
          output[o] = input[o] > 0 ? input[o] : 0;
        break;
      case network::LayerKind::MaxPool:
        output.assign(output.size(), -HUGE_VAL);
        for_each_product(layer, [&](std::size_t o, std::size_t i, std::size_t) {
          output[o] = std::fmax(output[o], input[i]);
        });
        break;
    }
    activations_.push_back(output);
  }

  /// Returns the input's gradient, and adds to those of the parameters.
  static Numbers backward(const network::Layer& layer, const Numbers& input,
                          const Numbers& gradient, const Numbers& parameters, Numbers& gradients) {
    Numbers input_gradient(layer.input.elements());
    switch (layer.kind) {
      case network::LayerKind::Convolution:
      case network::LayerKind::Dense: {
        const double* weight = parameters.data() + layer.parameters[0].first;
        double* weight_gradient = gradients.data() + layer.parameters[0].first;
        double* bias_gradient = gradients.data() + layer.parameters[1].first;
        for (std::size_t o = 0; o < gradient.size(); ++o)
          bias_gradient[o % static_cast<std::size_t>(layer.output.channels)] += gradient[o];
        for_each_product(layer, [&](std::size_t o, std::size_t i, std::size_t w) {
          weight_gradient[w] += input[i] * gradient[o];
          input_gradient[i] += weight[w] * gradient[o];
        });
        break;
      }
      case network::LayerKind::Relu:
        for (std::size_t i = 0; i < input.size(); ++i)
          input_gradient[i] = input[i] > 0 ? gradient[i] : 0;
        break;
      case network::LayerKind::MaxPool: {
        std::vector<std::ptrdiff_t> winner(gradient.size(), -1);
        for_each_product(layer, [&](std::size_t o, std::size_t i, std::size_t) {
          if (winner[o] < 0 || input[i] > input[static_cast<std::size_t>(winner[o])])
            winner[o] = static_cast<std::ptrdiff_t>(i);
        });
        for (std::size_t o = 0; o < gradient.size(); ++o)
          input_gradient[static_cast<std::size_t>(winner[o])] += gradient[o];
        break;
      }
    }
    return input_gradient;
  }

  network::Network network_;
  std::vector<Numbers> activations_;  // of the last image: the input, then each layer's output
};

}  // namespace lockstep::exec
