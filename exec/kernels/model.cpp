// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/model.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "exec/kernels/average_pool.h"
#include "exec/kernels/batch_norm.h"
#include "exec/kernels/buffer_plan.h"
#include "exec/kernels/convolution.h"
#include "exec/kernels/cross_entropy.h"
#include "exec/kernels/dense.h"
#include "exec/kernels/max_pool.h"
#include "exec/kernels/share.h"
#include "exec/kernels/tile.h"
#include "models/base/errors.h"
#include "models/base/random.h"

namespace lockstep::exec {

using network::Layer;
using network::LayerKind;
using network::Stage;

namespace {

std::size_t index_of(int number) {
  return static_cast<std::size_t>(number);
}

ConvolutionStage convolution_of(const network::Network& network, const Stage& stage) {
  return {network.first_layer(stage), stage.has_relu, network.fused_pool(stage)};
}
DenseStage dense_of(const network::Network& network, const Stage& stage) {
  return {network.first_layer(stage), stage.has_relu};
}
BatchNormStage batch_norm_of(const network::Network& network, const Stage& stage) {
  return {network.first_layer(stage), stage.adds, stage.has_relu};
}

}  // namespace

std::size_t Model::gradient_floats(const network::Network& network) {
  return static_cast<std::size_t>(network.flat_count) + kTileColumns;
}

Model::Model(const network::Network& network, int max_batch, int threads, Purpose purpose,
             const ExchangedMemory& elsewhere)
    : network_(network),
      max_batch_(static_cast<std::size_t>(max_batch)),
      flat_count_(static_cast<std::size_t>(network.flat_count)),
      team_(threads),
      parameters_(flat_count_ + kTileColumns),
      gradients_(elsewhere.gradients),
      sums_(elsewhere.sums),
      shifts_(static_cast<std::size_t>(network.sum_count) / 4),
      stages_(network.stages.size()) {
  LOCKSTEP_CHECK(max_batch >= 0 && !network.stages.empty(), std::to_string(max_batch));
  const auto sum_count = static_cast<std::size_t>(network.sum_count);
  if (sums_.empty() && sum_count > 0) sums_ = {new_buffer(sum_count), sum_count};
  if (gradients_.empty() && purpose == Purpose::Training)
    gradients_ = {new_buffer(flat_count_), gradient_floats(network)};
  place_parameters();
  place_activations(purpose);
  if (purpose == Purpose::Training) place_gradients();
  place_scratch();
}

float* Model::new_buffer(std::size_t floats) {
  return buffers_.emplace_back(floats + kTileColumns).data();
}

/// Of a batch's activations.
std::size_t Model::floats_of(const network::Shape& shape) const {
  return max_batch_ * image_stride(shape.elements());
}

void Model::place_parameters() {
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    const std::vector<network::Parameter>& tensors =
        network_.first_layer(network_.stages[s]).parameters;
    if (tensors.empty()) continue;
    stages_[s].parameters = parameters_.data() + tensors.front().first;
    stages_[s].gradients = gradients_.data() + tensors.front().first;
    if (network_.normalises(network_.stages[s])) {
      stages_[s].sums = sums_.data() + network_.stages[s].sums;
      stages_[s].shift = shifts_.data() + network_.stages[s].sums / 4;
    }
  }
}

// In training every stage's output is kept for the backward pass; in testing it is given back when
// the last stage that it feeds is done.
void Model::place_activations(Purpose purpose) {
  std::vector<std::size_t> last_use(stages_.size(), stages_.size());
  for (std::size_t s = 0; s < stages_.size(); ++s)
    for (const std::int32_t feeder : {network_.stages[s].input, network_.stages[s].residual})
      if (feeder != network::kImages) last_use[index_of(feeder)] = s;
  BufferPlan plan;
  std::vector<std::size_t> numbers;
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    numbers.push_back(plan.take(floats_of(network_.last_layer(network_.stages[s]).output)));
    for (std::size_t before = 0; before < s && purpose == Purpose::Testing; ++before)
      if (last_use[before] == s) plan.give_back(numbers[before]);
  }
  std::vector<float*> memory;
  for (const std::size_t floats : plan.sizes())
    memory.push_back(new_buffer(floats));
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    const Stage& stage = network_.stages[s];
    const network::Shape& output = network_.last_layer(stage).output;
    stages_[s].output = {memory[numbers[s]], image_stride(output.elements())};
    if (network_.fused_pool(stage) || network_.first_layer(stage).kind == LayerKind::MaxPool)
      stages_[s].winners =
          winners_.emplace_back(max_batch_ * static_cast<std::size_t>(output.elements())).data();
  }
}

// A gradient of activations is needed only until the stage has made those of what feeds it: a few
// buffers take turns. The first stage that takes part in a gradient writes it, the others add. What
// an addition adds has the addition's own gradient: if nobody has written it yet, the buffer
// changes hands.
void Model::place_gradients() {
  BufferPlan plan;
  constexpr std::size_t kNone = SIZE_MAX;
  std::vector<std::size_t> number(stages_.size(), kNone);  // of the output's gradient
  gradient_plan_.resize(stages_.size());
  number.back() = plan.take(floats_of(network_.last_layer(network_.stages.back()).output));
  for (std::size_t s = stages_.size(); s-- > 0;) {
    const Stage& stage = network_.stages[s];
    if (!network_.has_backward(stage)) continue;
    GradientPlan& mine = gradient_plan_[s];
    mine.output = number[s];
    bool changes_hands = false;
    if (stage.residual_gradient) {
      std::size_t& of_residual = number[index_of(stage.residual)];
      changes_hands = of_residual == kNone;
      if (changes_hands) of_residual = mine.output;
      mine.residual = of_residual;
      mine.passes_on_residual = !changes_hands;
    }
    if (stage.input_gradient) {
      std::size_t& of_input = number[index_of(stage.input)];
      stages_[s].adds_input_gradient = of_input != kNone;
      if (of_input == kNone) of_input = plan.take(floats_of(network_.first_layer(stage).input));
      mine.input = of_input;
    }
    if (!changes_hands) plan.give_back(mine.output);
  }
  std::vector<float*> memory;
  for (const std::size_t floats : plan.sizes())
    memory.push_back(new_buffer(floats));
  residual_gradients_.resize(stages_.size());
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    const Stage& stage = network_.stages[s];
    if (!network_.has_backward(stage)) continue;
    const GradientPlan& mine = gradient_plan_[s];
    const std::size_t stride = image_stride(network_.last_layer(stage).output.elements());
    stages_[s].output_gradient = {memory[mine.output], stride};
    if (stage.input_gradient)
      stages_[s].input_gradient = {memory[mine.input],
                                   image_stride(network_.first_layer(stage).input.elements())};
    if (mine.passes_on_residual) residual_gradients_[s] = {memory[mine.residual], stride};
  }
  score_gradient_ = stages_.back().output_gradient;
}

void Model::place_scratch() {
  std::size_t most = 0;
  for (const Stage& stage : network_.stages) {
    const LayerKind kind = network_.first_layer(stage).kind;
    if (kind == LayerKind::Convolution)
      most = std::max(
          most, convolution_scratch(convolution_of(network_, stage), max_batch_, team_.size()));
    if (kind == LayerKind::Dense)
      most = std::max(most, dense_scratch(dense_of(network_, stage), team_.size()));
    if (kind == LayerKind::BatchNorm)
      most =
          std::max(most, batch_norm_scratch(network_.first_layer(stage), max_batch_, team_.size()));
  }
  float* scratch = new_buffer(most);
  for (StageBuffers& buffers : stages_)
    buffers.scratch = scratch;
}

void Model::initialise(std::uint64_t seed) {
  for (std::size_t i = 0; i < network_.layers.size(); ++i) {
    const std::vector<network::Parameter>& tensors = network_.layers[i].parameters;
    for (std::size_t tensor = 0; tensor < tensors.size(); ++tensor) {
      float* first = parameters_.data() + tensors[tensor].first;
      if (network_.layers[i].kind == LayerKind::BatchNorm) {
        // weight 1, bias 0, running mean 0, running variance 1
        std::fill_n(first, tensors[tensor].count, tensor % 3 == 0 ? 1.0f : 0.0f);
        continue;
      }
      Random random(seed, i, tensor);
      const double bound = 1 / std::sqrt(static_cast<double>(tensors[tensor].fan_in));
      std::generate_n(first, tensors[tensor].count,
                      [&] { return static_cast<float>((2 * random.uniform() - 1) * bound); });
    }
  }
}

void Model::bind(const Batch& batch) {
  LOCKSTEP_CHECK(batch.count >= 0 && index_of(batch.count) <= max_batch_,
                 std::to_string(batch.count) + " images, room for " + std::to_string(max_batch_));
  batch_ = batch;
  count_ = index_of(batch.count);
  const std::size_t elements = network_.input.elements();
  const auto output_of = [&](std::int32_t stage) -> Images<const float> {
    if (stage == network::kImages) return {batch.images, elements};
    return stages_[index_of(stage)].output;
  };
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    stages_[s].input = output_of(network_.stages[s].input);
    if (network_.stages[s].adds) stages_[s].residual = output_of(network_.stages[s].residual);
  }
}

std::size_t Model::normalised_images() const {
  return batch_.normalised_images > 0 ? index_of(batch_.normalised_images) : count_;
}

DropoutDraw Model::draw(const Stage& stage) const {
  return {batch_.seed, batch_.iteration, static_cast<std::uint64_t>(stage.first),
          batch_.first_image};
}

void Model::sums(int stage) {
  batch_norm_sums(batch_norm_of(network_, stage_at(stage)), buffers_of(stage), count_,
                  batch_.normalised_images > 0, team_);
}

void Model::forward(int stage) {
  forward(stage, false);
}

void Model::forward(int number, bool testing) {
  if (count_ == 0) return;
  const Stage& stage = stage_at(number);
  const Layer& layer = network_.first_layer(stage);
  const StageBuffers& buffers = buffers_of(number);
  switch (layer.kind) {
    case LayerKind::Convolution:
      return convolution_forward(convolution_of(network_, stage), buffers, count_, team_);
    case LayerKind::Dense:
      return dense_forward(dense_of(network_, stage), buffers, count_, team_);
    case LayerKind::BatchNorm:
      if (testing) return batch_norm_test(batch_norm_of(network_, stage), buffers, count_, team_);
      return batch_norm_forward(batch_norm_of(network_, stage), buffers, count_,
                                normalised_images(), team_);
    case LayerKind::Relu:
      return relu_forward(layer, buffers, count_, team_);
    case LayerKind::MaxPool:
      return max_pool_forward(layer, buffers, count_, team_);
    case LayerKind::AveragePool:
    case LayerKind::GlobalAveragePool:
      return average_pool_forward(layer, buffers, count_, team_);
    case LayerKind::Dropout:
      if (testing) return copy_forward(layer, buffers, count_, team_);
      return dropout_forward(layer, draw(stage), buffers, count_, team_);
    case LayerKind::Flatten:
      return copy_forward(layer, buffers, count_, team_);
    case LayerKind::Add:
      return add_forward(layer, stage.has_relu, buffers, count_, team_);
  }
}

double Model::loss(double scale) {
  scale_ = scale;
  const Images<const float> scores = stages_.back().output;
  if (network_.loss == network::Loss::SigmoidCrossEntropy)
    return sigmoid_cross_entropy(scores, batch_.labels, count_, scale, score_gradient_);
  return softmax_cross_entropy(scores, batch_.labels, count_, index_of(network_.classes), scale,
                               score_gradient_);
}

void Model::gradient_sums(int stage) {
  batch_norm_gradient_sums(batch_norm_of(network_, stage_at(stage)), buffers_of(stage), count_,
                           normalised_images(), team_);
}

void Model::backward(int number) {
  const Stage& stage = stage_at(number);
  if (count_ == 0) {
    std::fill_n(buffers_of(number).gradients, network_.first_layer(stage).flat_count(), 0.0f);
    return;
  }
  backward_layers(number);
  if (gradient_plan_[index_of(number)].passes_on_residual)
    pass_on(buffers_of(number).output_gradient, network_.last_layer(stage).output.elements(),
            count_, true, residual_gradients_[index_of(number)], team_);
}

void Model::backward_layers(int number) {
  const Stage& stage = stage_at(number);
  const Layer& layer = network_.first_layer(stage);
  const StageBuffers& buffers = buffers_of(number);
  switch (layer.kind) {
    case LayerKind::Convolution:
      return convolution_backward(convolution_of(network_, stage), buffers, count_, team_);
    case LayerKind::Dense:
      return dense_backward(dense_of(network_, stage), buffers, count_, team_);
    case LayerKind::BatchNorm:
      return batch_norm_backward(batch_norm_of(network_, stage), buffers, count_,
                                 normalised_images(), scale_ * static_cast<double>(count_), team_);
    case LayerKind::Relu:
      return relu_backward(layer, buffers, count_, team_);
    case LayerKind::MaxPool:
      return max_pool_backward(layer, buffers, count_, team_);
    case LayerKind::AveragePool:
    case LayerKind::GlobalAveragePool:
      return average_pool_backward(layer, buffers, count_, team_);
    case LayerKind::Dropout:
      return dropout_backward(layer, draw(stage), buffers, count_, team_);
    case LayerKind::Flatten:
      return copy_backward(layer, buffers, count_, team_);
    case LayerKind::Add:
      return add_backward(layer, stage.has_relu, buffers, count_, team_);
  }
}

int Model::count_correct(const float* images, const std::int32_t* labels, int count) {
  bind({.images = images, .labels = labels, .count = count});
  for (int stage = 0; stage < static_cast<int>(stages_.size()); ++stage)
    forward(stage, true);
  const Images<float>& scores = stages_.back().output;
  return exec::count_correct({scores.data, scores.stride}, labels, count_,
                             index_of(network_.scores()));
}

std::vector<float> Model::scores() const {
  std::vector<float> all;
  for (std::size_t image = 0; image < count_; ++image) {
    const float* scores = stages_.back().output[image];
    all.insert(all.end(), scores, scores + network_.scores());
  }
  return all;
}

}  // namespace lockstep::exec
