// SPDX-License-Identifier: Apache-2.0
#include "exec/codecs/power_sgd.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "models/base/errors.h"
#include "models/base/random.h"

namespace lockstep::exec {

namespace {

using compression::Group;
using compression::Tensor;

double dot(const float* a, const float* b, std::size_t count) {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

/// Σ row[j] · vector[j], in parts side by side.
float product(const float* row, const float* vector, std::size_t count) {
  constexpr std::size_t kParts = 32;
  float parts[kParts] = {};
  std::size_t j = 0;
  for (; j + kParts <= count; j += kParts)
    for (std::size_t p = 0; p < kParts; ++p)
      parts[p] += row[j + p] * vector[j + p];
  for (; j < count; ++j)
    parts[0] += row[j] * vector[j];
  float sum = 0;
  for (const float part : parts)
    sum += part;
  return sum;
}

void add_multiple(float factor, const float* __restrict from, float* __restrict into,
                  std::size_t count) {
  for (std::size_t j = 0; j < count; ++j)
    into[j] += factor * from[j];
}

class PowerSgd final : public Codec {
 public:
  PowerSgd(const Group& group, const CodecOptions& options)
      : tensors_(group.tensors),
        rank_(static_cast<std::size_t>(group.codec.parameter)),
        ranks_(static_cast<float>(options.ranks)),
        elements_(group.elements()) {
    std::size_t rows = 0;
    std::size_t columns = 0;
    for (const Tensor& tensor : tensors_) {
      rows += tensor.rows;
      columns += tensor.columns;
    }
    left_.resize(rows * rank_);
    kept_.resize(elements_ + columns * rank_);
    Random random(options.seed, 0x9050, options.group);
    for (float& value : right())
      value = static_cast<float>(random.normal());
  }

  void encode(std::span<const float> gradients, std::int32_t, std::span<std::byte> code) override {
    const float* gradient = gradients.data();
    for_tensors(reinterpret_cast<float*>(code.data()), [&](const Tensor& tensor, const Parts& at) {
      for (std::size_t i = 0; i < tensor.rows; ++i, gradient += tensor.columns) {
        float* row = at.matrix + i * tensor.columns;
        for (std::size_t j = 0; j < tensor.columns; ++j)
          row[j] += gradient[j];
        for (std::size_t k = 0; k < rank_; ++k)
          at.left[k * tensor.rows + i] =
              product(row, at.right + k * tensor.columns, tensor.columns);
      }
    });
  }

  void encode_next(std::span<const std::byte> together, std::span<std::byte> code) override {
    std::copy_n(reinterpret_cast<const float*>(together.data()), left_.size(), left_.begin());
    auto* into = reinterpret_cast<float*>(code.data());
    std::fill_n(into, right().size(), 0.0F);
    for_tensors(left_.data(), [&](const Tensor& tensor, const Parts& at) {
      orthonormalise(at.left, tensor.rows, rank_);
      for (std::size_t i = 0; i < tensor.rows; ++i)
        for (std::size_t k = 0; k < rank_; ++k)
          add_multiple(at.left[k * tensor.rows + i], at.matrix + i * tensor.columns,
                       into + k * tensor.columns, tensor.columns);
      into += tensor.columns * rank_;
    });
  }

  void decode(std::span<const std::byte> code, std::span<float> gradients, bool adds) override {
    LOCKSTEP_CHECK(!adds, "these codes are added before they are decoded");
    std::copy_n(reinterpret_cast<const float*>(code.data()), right().size(), right().begin());
    float* gradient = gradients.data();
    const float share = 1 / ranks_;
    for_tensors(left_.data(), [&](const Tensor& tensor, const Parts& at) {
      for (std::size_t i = 0; i < tensor.rows; ++i, gradient += tensor.columns) {
        std::fill_n(gradient, tensor.columns, 0.0F);
        for (std::size_t k = 0; k < rank_; ++k)
          add_multiple(at.left[k * tensor.rows + i], at.right + k * tensor.columns, gradient,
                       tensor.columns);
        add_multiple(-share, gradient, at.matrix + i * tensor.columns, tensor.columns);
      }
    });
  }

  std::span<float> memory() override { return kept_; }

 private:
  /// Of one tensor: M, P and Q.
  struct Parts {
    float* matrix;
    float* left;
    float* right;
  };
  template <typename Visit>
  void for_tensors(float* left, const Visit& visit) {
    Parts at{kept_.data(), left, right().data()};
    for (const Tensor& tensor : tensors_) {
      visit(tensor, at);
      at.matrix += tensor.elements();
      at.left += tensor.rows * rank_;
      at.right += tensor.columns * rank_;
    }
  }
  std::span<float> right() { return std::span(kept_).subspan(elements_); }

  std::vector<Tensor> tensors_;
  std::size_t rank_;
  float ranks_;
  std::size_t elements_;
  std::vector<float> left_;  // P, orthonormal
  std::vector<float> kept_;  // e, which becomes M, then Q
};

}  // namespace

void orthonormalise(float* vectors, std::size_t rows, std::size_t columns) {
  constexpr double kNothing = 1e-5;  // what rounding leaves of a vector that depends on others
  for (std::size_t k = 0; k < columns; ++k) {
    float* vector = vectors + k * rows;
    const double before = std::sqrt(dot(vector, vector, rows));
    for (int pass = 0; pass < 2; ++pass)
      for (std::size_t other = 0; other < k; ++other) {
        const float* direction = vectors + other * rows;
        const auto along = static_cast<float>(dot(vector, direction, rows));
        for (std::size_t i = 0; i < rows; ++i)
          vector[i] -= along * direction[i];
      }
    const double after = std::sqrt(dot(vector, vector, rows));
    const double factor = after > kNothing * before ? 1 / after : 0;
    for (std::size_t i = 0; i < rows; ++i)
      vector[i] = static_cast<float>(static_cast<double>(vector[i]) * factor);
  }
}

std::unique_ptr<Codec> make_power_sgd(const Group& group, const CodecOptions& options) {
  return std::make_unique<PowerSgd>(group, options);
}

}  // namespace lockstep::exec
