// SPDX-License-Identifier: Apache-2.0
#include "exec/codecs/sign.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "exec/codecs/bits.h"
#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

using compression::Group;
using compression::Method;
using compression::Tensor;

std::uint8_t* bytes_of(std::span<std::byte> code) {
  return reinterpret_cast<std::uint8_t*>(code.data());
}
const std::uint8_t* bytes_of(std::span<const std::byte> code) {
  return reinterpret_cast<const std::uint8_t*>(code.data());
}

class SignVote final : public Codec {
 public:
  explicit SignVote(std::int32_t ranks) : voters_(static_cast<std::size_t>(ranks)) {}

  void encode(std::span<const float> gradients, std::int32_t, std::span<std::byte> code) override {
    std::fill(code.begin(), code.end(), std::byte{0});  // the last chunk may be longer than needed
    pack_signs(gradients.data(), gradients.size(), bytes_of(code));
  }
  void encode_next(std::span<const std::byte> together, std::span<std::byte> code) override {
    count_votes(bytes_of(together), voters_, code.size(), bytes_of(code));
  }
  void decode(std::span<const std::byte> code, std::span<float> gradients, bool adds) override {
    unpack_signs(bytes_of(code), gradients.size(), 1, -1, gradients.data(), adds);
  }

 private:
  std::size_t voters_;
};

class EfSign final : public Codec {
 public:
  EfSign(const Group& group, double momentum)
      : tensors_(group.tensors),
        momentum_(static_cast<float>(momentum)),
        kept_(2 * group.elements()) {
    std::uint64_t widest = 0;
    for (const Tensor& tensor : tensors_) {
      columns_ += tensor.columns;
      widest = std::max(widest, tensor.columns);
    }
    signs_.resize(kRows * widest);
  }

  void encode(std::span<const float> gradients, std::int32_t, std::span<std::byte> code) override {
    auto* scales = reinterpret_cast<float*>(code.data());
    std::uint8_t* plane = bytes_of(code.subspan(columns_ * sizeof(float)));
    const float* gradient = gradients.data();
    float* residual = kept_.data();
    float* velocity = residual + gradients.size();
    for (const Tensor& tensor : tensors_) {
      const std::size_t count = tensor.elements();
      for (std::size_t i = 0; i < count; ++i) {
        velocity[i] = momentum_ * velocity[i] + gradient[i];
        residual[i] += velocity[i];
      }
      write_scales(tensor, residual, scales);
      pack_signs(residual, count, plane);
      for (std::size_t i = 0; i < count; i += tensor.columns)
        for (std::size_t c = 0; c < tensor.columns; ++c)
          residual[i + c] -= residual[i + c] >= 0 ? scales[c] : -scales[c];
      gradient += count;
      residual += count;
      velocity += count;
      scales += tensor.columns;
      plane += plane_bytes(count);
    }
  }

  void decode(std::span<const std::byte> code, std::span<float> gradients, bool adds) override {
    const auto* scales = reinterpret_cast<const float*>(code.data());
    const std::uint8_t* plane = bytes_of(code.subspan(columns_ * sizeof(float)));
    float* into = gradients.data();
    for (const Tensor& tensor : tensors_) {
      for (std::size_t row = 0; row < tensor.rows; row += kRows) {
        const std::size_t count = std::min(kRows, tensor.rows - row) * tensor.columns;
        unpack_signs(plane, count, 1, -1, signs_.data(), false);
        for (std::size_t i = 0; i < count; i += tensor.columns)
          for (std::size_t c = 0; c < tensor.columns; ++c)
            into[i + c] = (adds ? into[i + c] : 0) + signs_[i + c] * scales[c];
        plane += plane_bytes(count);
        into += count;
      }
      scales += tensor.columns;
    }
  }
  std::span<float> memory() override { return kept_; }

 private:
  static constexpr std::size_t kRows = 32;  // are decoded together: a multiple of 8, whole bytes

  /// The mean magnitudes of the tensor's columns.
  static void write_scales(const Tensor& tensor, const float* values, float* scales) {
    std::fill_n(scales, tensor.columns, 0.0F);
    for (std::size_t i = 0; i < tensor.elements(); i += tensor.columns)
      for (std::size_t c = 0; c < tensor.columns; ++c)
        scales[c] += std::abs(values[i + c]);
    for (std::size_t c = 0; c < tensor.columns; ++c)
      scales[c] /= static_cast<float>(tensor.rows);
  }

  std::vector<Tensor> tensors_;
  std::size_t columns_ = 0;  // of all tensors
  float momentum_;
  std::vector<float> kept_;   // the residuals, then the velocities
  std::vector<float> signs_;  // scratch: ±1, of kRows rows
};

}  // namespace

std::unique_ptr<Codec> make_sign(const Group& group, const CodecOptions& options) {
  if (group.codec.method == Method::SignVote) return std::make_unique<SignVote>(options.ranks);
  return std::make_unique<EfSign>(group, options.momentum);
}

}  // namespace lockstep::exec
