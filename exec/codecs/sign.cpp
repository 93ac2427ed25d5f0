// SPDX-License-Identifier: Apache-2.0
#include "exec/codecs/sign.h"

#include <algorithm>
#include <vector>

#include "exec/codecs/bits.h"
#include "exec/codecs/sums.h"
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
  explicit EfSign(const Group& group) : tensors_(group.tensors), residual_(group.elements()) {}

  void encode(std::span<const float> gradients, std::int32_t, std::span<std::byte> code) override {
    auto* scales = reinterpret_cast<float*>(code.data());
    std::uint8_t* plane = bytes_of(code.subspan(tensors_.size() * sizeof(float)));
    float* residual = residual_.data();
    const float* gradient = gradients.data();
    for (const Tensor& tensor : tensors_) {
      const auto count = static_cast<std::size_t>(tensor.elements());
      for (std::size_t i = 0; i < count; ++i)
        residual[i] += gradient[i];
      const float scale =
          static_cast<float>(sum_of_magnitudes({residual, count}) / static_cast<double>(count));
      pack_signs(residual, count, plane);
      for (std::size_t i = 0; i < count; ++i)
        residual[i] -= residual[i] >= 0 ? scale : -scale;
      *scales++ = scale;
      plane += plane_bytes(count);
      residual += count;
      gradient += count;
    }
  }

  void decode(std::span<const std::byte> code, std::span<float> gradients, bool adds) override {
    const auto* scales = reinterpret_cast<const float*>(code.data());
    const std::uint8_t* plane = bytes_of(code.subspan(tensors_.size() * sizeof(float)));
    float* into = gradients.data();
    for (const Tensor& tensor : tensors_) {
      const auto count = static_cast<std::size_t>(tensor.elements());
      unpack_signs(plane, count, *scales, -*scales, into, adds);
      ++scales;
      plane += plane_bytes(count);
      into += count;
    }
  }
  std::span<float> memory() override { return residual_; }

 private:
  std::vector<Tensor> tensors_;
  std::vector<float> residual_;
};

}  // namespace

std::unique_ptr<Codec> make_sign(const Group& group, std::int32_t ranks) {
  if (group.codec.method == Method::SignVote) return std::make_unique<SignVote>(ranks);
  return std::make_unique<EfSign>(group);
}

}  // namespace lockstep::exec
