// SPDX-License-Identifier: Apache-2.0
#include "exec/codecs/one_bit.h"

#include <algorithm>
#include <vector>

#include "exec/codecs/bits.h"

namespace lockstep::exec {

namespace {

using compression::Group;
using compression::Tensor;

bool bit(const std::uint8_t* plane, std::size_t index) {
  return (plane[index / 8] >> (index % 8) & 1) != 0;
}

class OneBit final : public Codec {
 public:
  explicit OneBit(const Group& group) : tensors_(group.tensors), residual_(group.elements()) {
    for (const Tensor& tensor : tensors_)
      columns_ += static_cast<std::size_t>(tensor.columns);
  }

  void encode(std::span<const float> gradients, std::int32_t, std::span<std::byte> code) override {
    for (std::size_t i = 0; i < residual_.size(); ++i)
      residual_[i] += gradients[i];
    auto* means = reinterpret_cast<float*>(code.data());
    auto* plane = reinterpret_cast<std::uint8_t*>(means + 2 * columns_);
    float* values = residual_.data();
    for (const Tensor& tensor : tensors_) {
      const auto count = static_cast<std::size_t>(tensor.elements());
      write_means(tensor, values, means);
      pack_signs(values, count, plane);
      for_elements(tensor, [&](std::size_t i, std::size_t column) {
        values[i] -= means[column + (values[i] >= 0 ? 0 : tensor.columns)];
      });
      means += 2 * tensor.columns;
      plane += plane_bytes(count);
      values += count;
    }
  }

  void decode(std::span<const std::byte> code, std::span<float> gradients, bool adds) override {
    const auto* means = reinterpret_cast<const float*>(code.data());
    const auto* plane = reinterpret_cast<const std::uint8_t*>(means + 2 * columns_);
    if (!adds) std::fill(gradients.begin(), gradients.end(), 0.0F);
    float* into = gradients.data();
    for (const Tensor& tensor : tensors_) {
      const auto count = static_cast<std::size_t>(tensor.elements());
      for_elements(tensor, [&](std::size_t i, std::size_t column) {
        into[i] += means[column + (bit(plane, i) ? 0 : tensor.columns)];
      });
      means += 2 * tensor.columns;
      plane += plane_bytes(count);
      into += count;
    }
  }
  std::span<float> memory() override { return residual_; }

 private:
  template <typename Visit>
  static void for_elements(const Tensor& tensor, const Visit& visit) {
    std::size_t i = 0;
    for (std::size_t row = 0; row < tensor.rows; ++row)
      for (std::size_t column = 0; column < tensor.columns; ++column)
        visit(i++, column);
  }

  /// `means`: of the elements that are at least 0, column by column, then of the others.
  void write_means(const Tensor& tensor, const float* values, float* means) {
    const auto columns = static_cast<std::size_t>(tensor.columns);
    counts_.assign(columns, 0);
    std::fill_n(means, 2 * columns, 0.0F);
    const float* row = values;
    for (std::size_t r = 0; r < tensor.rows; ++r, row += columns)
      for (std::size_t c = 0; c < columns; ++c) {
        const bool is_upper = row[c] >= 0;
        means[c] += is_upper ? row[c] : 0;
        means[columns + c] += is_upper ? 0 : row[c];
        counts_[c] += is_upper ? 1 : 0;
      }
    for (std::size_t c = 0; c < columns; ++c) {
      const float upper = counts_[c];
      means[c] /= std::max(upper, 1.0F);
      means[columns + c] /= std::max(static_cast<float>(tensor.rows) - upper, 1.0F);
    }
  }

  std::vector<Tensor> tensors_;
  std::size_t columns_ = 0;  // of all tensors
  std::vector<float> residual_;
  std::vector<float> counts_;
};

}  // namespace

std::unique_ptr<Codec> make_one_bit(const Group& group) {
  return std::make_unique<OneBit>(group);
}

}  // namespace lockstep::exec
