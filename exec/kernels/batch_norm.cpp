// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "exec/kernels/share.h"
#include "exec/kernels/vector.h"

namespace lockstep::exec {
namespace {

using network::Layer;

std::size_t channels_of(const Layer& layer) {
  return static_cast<std::size_t>(layer.input.channels);
}
std::size_t positions_of(const Layer& layer) {
  return layer.input.elements() / channels_of(layer);
}

/// The layer's tensors, among the parameters or among the gradients.
template <typename Float>
struct Tensors {
  Tensors(Float* first, std::size_t channels)
      : weight(first),
        bias(first + channels),
        mean(first + 2 * channels),
        variance(first + 3 * channels) {}

  Float *weight, *bias, *mean, *variance;
};

/// Mean and variance of one channel, from the sums.
struct Moments {
  Moments(const StageBuffers& buffers, std::size_t channels, std::size_t c, double count) {
    const double distance = static_cast<double>(buffers.sums[c]) / count;
    mean = static_cast<double>(buffers.shift[c]) + distance;
    variance = std::max(
        0.0, static_cast<double>(buffers.sums[channels + c]) / count - distance * distance);
  }

  double inverse_deviation() const { return 1 / std::sqrt(variance + network::kBatchNormEpsilon); }

  double mean, variance;
};

/// What a row of a map consists of.
struct Row {
  std::size_t positions;
  std::size_t channels;
};

Row row_of(const Layer& layer) {
  return {static_cast<std::size_t>(layer.input.width), channels_of(layer)};
}

/// Sums two numbers per channel over the batch. `row_sums(image, row, a, b)` writes those of one
/// row of a map to a[c] and b[c]; beyond a row the sums are in double precision, row by row and
/// then image by image, in this order whatever the team.
template <typename RowSums>
void sum_over_batch(const Layer& layer, std::size_t batch, Team& team, float* scratch, float* sums,
                    const RowSums& row_sums) {
  const std::size_t channels = channels_of(layer);
  auto* of_images = reinterpret_cast<double*>(scratch);
  float* of_rows = scratch + 4 * batch * channels;
  team.run([&](std::size_t part) {
    float* row = of_rows + part * 2 * channels;
    const Range images = share(batch, part, team.size());
    for (std::size_t image = images.first; image < images.last; ++image) {
      double* total = of_images + image * 2 * channels;
      std::fill_n(total, 2 * channels, 0.0);
      for (std::int32_t y = 0; y < layer.input.height; ++y) {
        row_sums(image, static_cast<std::size_t>(y), row, row + channels);
        for (std::size_t i = 0; i < 2 * channels; ++i)
          total[i] += static_cast<double>(row[i]);
      }
    }
  });
  for (std::size_t i = 0; i < 2 * channels; ++i) {
    double total = 0;
    for (std::size_t image = 0; image < batch; ++image)
      total += of_images[image * 2 * channels + i];
    sums[i] = static_cast<float>(total);
  }
}

/// Calls row(image, offset of the row in it) for this team's shares of all rows of the batch.
template <typename ForRow>
void for_rows(const Layer& layer, std::size_t batch, Team& team, const ForRow& row) {
  const auto height = static_cast<std::size_t>(layer.input.height);
  const std::size_t floats = row_of(layer).positions * row_of(layer).channels;
  team.run([&](std::size_t part) {
    const Range mine = share(batch * height, part, team.size());
    for (std::size_t unit = mine.first; unit < mine.last; ++unit)
      row(unit / height, unit % height * floats);
  });
}

/// output = relu(factor[c] · input + term[c] + residual).
void transform(const BatchNormStage& stage, const StageBuffers& buffers, std::size_t batch,
               const float* factors, const float* terms, Team& team) {
  const Row row = row_of(stage.layer);
  for_rows(stage.layer, batch, team, [&](std::size_t image, std::size_t first) {
    const float* input = buffers.input[image] + first;
    const float* residual = stage.adds ? buffers.residual[image] + first : nullptr;
    float* output = buffers.output[image] + first;
    for_channels(row.channels, [&](std::size_t c, auto kind) {
      using Value = decltype(kind);
      const Value factor = load_as<Value>(factors + c);
      const Value term = load_as<Value>(terms + c);
      for (std::size_t at = c; at < row.positions * row.channels; at += row.channels) {
        Value value = factor * load_as<Value>(input + at) + term;
        if (stage.adds) value += load_as<Value>(residual + at);
        if (stage.relu) value = where_positive(value, value);
        store_as(output + at, value);
      }
    });
  });
}

/// One vector per channel, one behind the other.
struct Vectors {
  Vectors(float* first, std::size_t channels) : first_(first), channels_(channels) {}
  float* operator[](std::size_t number) const { return first_ + number * channels_; }

 private:
  float* first_;
  std::size_t channels_;
};

}  // namespace

std::size_t batch_norm_scratch(const Layer& layer, std::size_t batch, std::size_t threads) {
  return (2 + 4 * batch + 2 * threads) * channels_of(layer);
}

void batch_norm_sums(const BatchNormStage& stage, const StageBuffers& buffers, std::size_t batch,
                     bool shared, Team& team) {
  const Row row = row_of(stage.layer);
  const Tensors<const float> tensors(buffers.parameters, row.channels);
  std::copy_n(shared || batch == 0 ? tensors.mean : buffers.input[0], row.channels, buffers.shift);
  sum_over_batch(stage.layer, batch, team, buffers.scratch, buffers.sums,
                 [&](std::size_t image, std::size_t y, float* sums, float* squares) {
                   const float* x = buffers.input[image] + y * row.positions * row.channels;
                   for_channels(row.channels, [&](std::size_t c, auto kind) {
                     using Value = decltype(kind);
                     const Value shift = load_as<Value>(buffers.shift + c);
                     Value sum{}, square{};
                     for (std::size_t at = c; at < row.positions * row.channels;
                          at += row.channels) {
                       const Value distance = load_as<Value>(x + at) - shift;
                       sum += distance;
                       square += distance * distance;
                     }
                     store_as(sums + c, sum);
                     store_as(squares + c, square);
                   });
                 });
}

void batch_norm_forward(const BatchNormStage& stage, const StageBuffers& buffers, std::size_t batch,
                        std::size_t images, Team& team) {
  const std::size_t channels = channels_of(stage.layer);
  const Tensors<const float> tensors(buffers.parameters, channels);
  const auto count = static_cast<double>(images * positions_of(stage.layer));
  const Vectors scratch(buffers.scratch, channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const Moments moments(buffers, channels, c, count);
    const double scale = static_cast<double>(tensors.weight[c]) * moments.inverse_deviation();
    scratch[0][c] = static_cast<float>(scale);
    scratch[1][c] = static_cast<float>(static_cast<double>(tensors.bias[c]) - moments.mean * scale);
  }
  transform(stage, buffers, batch, scratch[0], scratch[1], team);
}

void batch_norm_test(const BatchNormStage& stage, const StageBuffers& buffers, std::size_t batch,
                     Team& team) {
  const std::size_t channels = channels_of(stage.layer);
  const Tensors<const float> tensors(buffers.parameters, channels);
  const Vectors scratch(buffers.scratch, channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const double variance = static_cast<double>(tensors.variance[c]) + network::kBatchNormEpsilon;
    const double scale = static_cast<double>(tensors.weight[c]) / std::sqrt(variance);
    scratch[0][c] = static_cast<float>(scale);
    scratch[1][c] = static_cast<float>(static_cast<double>(tensors.bias[c]) -
                                       static_cast<double>(tensors.mean[c]) * scale);
  }
  transform(stage, buffers, batch, scratch[0], scratch[1], team);
}

void batch_norm_gradient_sums(const BatchNormStage& stage, const StageBuffers& buffers,
                              std::size_t batch, std::size_t images, Team& team) {
  const Row row = row_of(stage.layer);
  const std::size_t channels = row.channels;
  const Tensors<const float> tensors(buffers.parameters, channels);
  const auto count = static_cast<double>(images * positions_of(stage.layer));
  const Vectors scratch(buffers.scratch, channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const Moments moments(buffers, channels, c, count);
    scratch[0][c] = static_cast<float>(moments.mean);
    scratch[1][c] = static_cast<float>(moments.inverse_deviation());
  }
  float* sums = buffers.sums + 2 * channels;
  sum_over_batch(stage.layer, batch, team, scratch[2], sums,
                 [&](std::size_t image, std::size_t y, float* gradient_sums, float* product_sums) {
                   const std::size_t first = y * row.positions * channels;
                   const float* x = buffers.input[image] + first;
                   const float* output = buffers.output[image] + first;
                   float* gradient = buffers.output_gradient[image] + first;
                   for_channels(channels, [&](std::size_t c, auto kind) {
                     using Value = decltype(kind);
                     const Value mean = load_as<Value>(scratch[0] + c);
                     Value sum{}, product{};
                     for (std::size_t at = c; at < row.positions * channels; at += channels) {
                       Value g = load_as<Value>(gradient + at);
                       if (stage.relu) {
                         g = where_positive(load_as<Value>(output + at), g);
                         store_as(gradient + at, g);
                       }
                       sum += g;
                       product += g * (load_as<Value>(x + at) - mean);
                     }
                     store_as(gradient_sums + c, sum);
                     store_as(product_sums + c, product * load_as<Value>(scratch[1] + c));
                   });
                 });
  const Tensors<float> gradients(buffers.gradients, channels);
  std::copy_n(sums, channels, gradients.bias);
  std::copy_n(sums + channels, channels, gradients.weight);
}

// With n positions in the batch: dx = weight/σ · (g − Σg/n − x̂ · Σ(g·x̂)/n).
void batch_norm_backward(const BatchNormStage& stage, const StageBuffers& buffers,
                         std::size_t batch, std::size_t images, double share, Team& team) {
  const Row row = row_of(stage.layer);
  const std::size_t channels = row.channels;
  const Tensors<const float> tensors(buffers.parameters, channels);
  const Tensors<float> gradients(buffers.gradients, channels);
  const auto count = static_cast<double>(images * positions_of(stage.layer));
  const Vectors scratch(buffers.scratch, channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const Moments moments(buffers, channels, c, count);
    const double scale = static_cast<double>(tensors.weight[c]) * moments.inverse_deviation();
    const double gradient_mean = static_cast<double>(buffers.sums[2 * channels + c]) / count;
    const double product_mean = static_cast<double>(buffers.sums[3 * channels + c]) / count;
    scratch[0][c] = static_cast<float>(scale);
    scratch[1][c] = static_cast<float>(gradient_mean);
    scratch[2][c] = static_cast<float>(moments.mean);
    scratch[3][c] = static_cast<float>(-scale * product_mean * moments.inverse_deviation());
    gradients.mean[c] = static_cast<float>(share * moments.mean);
    gradients.variance[c] =
        static_cast<float>(share * moments.variance * (count > 1 ? count / (count - 1) : 1));
  }
  if (buffers.input_gradient.data == nullptr) return;
  for_rows(stage.layer, batch, team, [&](std::size_t image, std::size_t first) {
    const float* x = buffers.input[image] + first;
    const float* gradient = buffers.output_gradient[image] + first;
    float* into = buffers.input_gradient[image] + first;
    for_channels(channels, [&](std::size_t c, auto kind) {
      using Value = decltype(kind);
      const Value scale = load_as<Value>(scratch[0] + c);
      const Value gradient_mean = load_as<Value>(scratch[1] + c);
      const Value mean = load_as<Value>(scratch[2] + c);
      const Value slope = load_as<Value>(scratch[3] + c);
      for (std::size_t at = c; at < row.positions * channels; at += channels) {
        Value value = scale * (load_as<Value>(gradient + at) - gradient_mean) +
                      slope * (load_as<Value>(x + at) - mean);
        if (buffers.adds_input_gradient) value += load_as<Value>(into + at);
        store_as(into + at, value);
      }
    });
  });
}

}  // namespace lockstep::exec
