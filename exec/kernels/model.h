// SPDX-License-Identifier: Apache-2.0
// The arithmetic of one rank: a network with its parameters, gradients and activations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "exec/kernels/float_buffer.h"
#include "exec/kernels/layer_buffers.h"
#include "exec/kernels/team.h"
#include "models/network/network.h"

namespace lockstep::exec {

/// One rank's copy of a network. For each batch: bind(), then forward(0), forward(1), …, loss(),
/// then backward(last), …, backward(0); each call is one row of the work table. Nothing is
/// allocated after the constructor.
///
/// The result of a call is the same, bit for bit, for any number of threads.
class Model {
 public:
  /// For batches of up to `max_batch` images. `threads` − 1 threads are started (team.h).
  Model(const network::Network& network, int max_batch, int threads);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  /// In the network's flat layout (network.h).
  std::span<float> parameters() { return {parameters_.data(), parameter_count_}; }
  std::span<float> gradients() { return {gradients_.data(), parameter_count_}; }

  /// Every weight and bias uniform in ±1/√fan_in, as PyTorch does for Conv2d and Linear. Depends
  /// on the seed, the layer's place and the tensor only.
  void initialise(std::uint64_t seed);

  /// The batch of the calls that follow; both arrays must stay until the backward pass is over.
  /// `images`: batch × height × width × channels; `labels`: 0 … classes − 1. An empty batch is
  /// legal: its loss and all its gradients are zero.
  void bind(const float* images, const std::int32_t* labels, int batch);

  /// Layer `layer` of all images, from the output of the layer before it.
  void forward(int layer);

  /// Returns Σ over the batch of the cross-entropy, and writes the gradient of `scale` times that
  /// sum (1 / global batch makes the ranks' gradients add up to that of the mean).
  double loss(double scale);

  /// Overwrites the layer's part of gradients(), and the gradient of its input unless it is first.
  void backward(int layer);

  /// Images whose largest output is their label's. Valid after forward() of the last layer.
  int correct() const;

  /// The threads, for other work on the compute lane.
  Team& team() { return team_; }

 private:
  FloatBuffer& new_buffer(std::size_t floats);
  void place_parameters();
  void place_activations();
  void place_gradients();
  std::size_t scratch_floats() const;

  network::Network network_;
  std::size_t max_batch_;
  std::size_t parameter_count_;
  Team team_;
  FloatBuffer parameters_;
  FloatBuffer gradients_;
  std::vector<FloatBuffer> buffers_;                // activations, their gradients, scratch
  std::vector<std::vector<std::int32_t>> winners_;  // of each max-pool layer
  std::vector<LayerBuffers> layers_;
  Images<float> score_gradient_;
  const std::int32_t* labels_ = nullptr;
  std::size_t batch_ = 0;
};

}  // namespace lockstep::exec
