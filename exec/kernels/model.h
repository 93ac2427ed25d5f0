// SPDX-License-Identifier: Apache-2.0
// The arithmetic of one rank: a network with its parameters, gradients and activations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "exec/kernels/elementwise.h"
#include "exec/kernels/float_buffer.h"
#include "exec/kernels/stage_buffers.h"
#include "exec/kernels/team.h"
#include "models/network/network.h"

namespace lockstep::exec {

enum class Purpose : std::uint8_t {
  Training,
  Testing,  // forward only: no gradients, and activations share their buffers
};

/// A batch of images and what else decides what comes out of it.
struct Batch {
  const float* images = nullptr;         // count × height × width × channels
  const std::int32_t* labels = nullptr;  // 0 … classes − 1
  int count = 0;
  /// Over how many images batch normalisation's sums are taken: 0 is these; otherwise those of all
  /// ranks, and sum_buffer() is added over the ranks between sums(stage) and forward(stage), and
  /// likewise going back.
  int normalised_images = 0;
  std::uint64_t seed = 0;  // of dropout, like the two below
  std::uint64_t iteration = 0;
  std::uint64_t first_image = 0;  // of these images, in the global batch
};

/// Where what the ranks exchange lies, if not in memory of the model's own: so that ranks can share
/// it. Zeroed, from cache lines on; empty = the model's own.
struct ExchangedMemory {
  std::span<float> gradients;  // Model::gradient_floats()
  std::span<float> sums;       // network.sum_count
  std::span<float> averages;   // network.flat_count; not the model's, but its learner's
};

/// One rank's copy of a network. For each batch: bind(), then for each stage sums(), if it
/// normalises, and forward(); loss(); then from the last stage with anything to do to the first
/// gradient_sums(), if it normalises, and backward(). Each call is one row of the work table.
/// Nothing is allocated after the constructor.
///
/// The result of a call is the same, bit for bit, for any number of threads.
class Model {
 public:
  /// For batches of up to `max_batch` images. `threads` − 1 threads are started (team.h).
  Model(const network::Network& network, int max_batch, int threads,
        Purpose purpose = Purpose::Training, const ExchangedMemory& elsewhere = {});
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  /// What gradients take, with room for the last tile to end beyond them.
  static std::size_t gradient_floats(const network::Network& network);

  /// In the network's flat layout (network.h).
  std::span<float> parameters() { return {parameters_.data(), flat_count_}; }
  std::span<float> gradients() { return gradients_.first(flat_count_); }
  /// The sums of all batch normalisations, each stage's from Stage::sums on (batch_norm.h).
  std::span<float> sum_buffer() { return sums_; }

  /// Weights and biases of convolutions and dense layers uniform in ±1/√fan_in, as PyTorch does;
  /// batch normalisation begins as the identity with running mean 0 and variance 1. Depends on the
  /// seed, the layer's place and the tensor only.
  void initialise(std::uint64_t seed);

  /// The batch of the calls that follow; its arrays must stay until the backward pass is over. An
  /// empty batch is legal: its loss and all its gradients are zero.
  void bind(const Batch& batch);

  void sums(int stage);
  /// Stage `stage` of all images, from the output of the stages before it.
  void forward(int stage);

  /// Returns Σ over the batch of the loss, and writes the gradient of `scale` times that sum
  /// (1 / global batch makes the ranks' gradients add up to that of the mean).
  double loss(double scale);

  void gradient_sums(int stage);
  /// Overwrites the stage's part of gradients(), and writes or adds to the gradients of what feeds
  /// it, if anybody needs them.
  void backward(int stage);

  /// A whole forward pass in testing: batch normalisation with its running mean and variance,
  /// dropout the identity. Returns how many of the images it classifies as labelled.
  int count_correct(const float* images, const std::int32_t* labels, int count);

  /// Of the last forward pass: one score per class and image, or one per image for the binary loss.
  std::vector<float> scores() const;

  /// The threads, for other work on the compute lane.
  Team& team() { return team_; }

 private:
  /// What of a stage's gradients goes where.
  struct GradientPlan {
    std::size_t output = 0;  // buffers of gradients, by number
    std::size_t input = 0;
    std::size_t residual = 0;
    bool passes_on_residual = false;  // otherwise the output's gradient has become the residual's
  };

  float* new_buffer(std::size_t floats);
  void place_parameters();
  void place_activations(Purpose purpose);
  void place_gradients();
  void place_scratch();
  void feed();
  std::size_t floats_of(const network::Shape& shape) const;
  const network::Stage& stage_at(int stage) const {
    return network_.stages[static_cast<std::size_t>(stage)];
  }
  StageBuffers& buffers_of(int stage) { return stages_[static_cast<std::size_t>(stage)]; }
  std::size_t normalised_images() const;
  DropoutDraw draw(const network::Stage& stage) const;
  void forward(int stage, bool testing);
  void backward_layers(int stage);

  network::Network network_;
  std::size_t max_batch_;
  std::size_t flat_count_;
  Team team_;
  FloatBuffer parameters_;
  std::span<float> gradients_;
  std::span<float> sums_;
  std::vector<float> shifts_;                       // one float where there are four sums
  std::vector<FloatBuffer> buffers_;                // activations, their gradients, scratch
  std::vector<std::vector<std::uint8_t>> winners_;  // of each max-pool
  std::vector<StageBuffers> stages_;
  std::vector<GradientPlan> gradient_plan_;
  std::vector<Images<float>> residual_gradients_;  // by stage, where one is passed on
  Images<float> score_gradient_;
  Batch batch_;
  std::size_t count_ = 0;
  double scale_ = 1;
};

}  // namespace lockstep::exec
