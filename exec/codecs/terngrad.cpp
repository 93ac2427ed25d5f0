// SPDX-License-Identifier: Apache-2.0
#include "exec/codecs/terngrad.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "exec/codecs/bits.h"
#include "exec/codecs/quantise.h"
#include "exec/codecs/sums.h"
#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

using compression::Group;
using compression::Method;
using compression::Tensor;

constexpr std::int32_t kLevels = 1;
constexpr int kBits = 2;  // of 0, 1, 2

float scale_of(std::span<const float> tensor) {
  constexpr double kClip = 2.5;
  const double deviation = std::sqrt(sum_of_squares(tensor) / static_cast<double>(tensor.size()));
  return std::min(largest_magnitude(tensor), static_cast<float>(kClip * deviation));
}

/// Calls visit(number of the tensor, first element, count) for runs that are no longer than kRun.
template <typename Visit>
void for_runs(const std::vector<Tensor>& tensors, const Visit& visit) {
  std::size_t first = 0;
  for (std::size_t t = 0; t < tensors.size(); ++t)
    for (auto left = static_cast<std::size_t>(tensors[t].elements()); left > 0;) {
      const std::size_t count = std::min(kRun, left);
      visit(t, first, count);
      first += count;
      left -= count;
    }
}

/// Calls visit(number of the tensor, its gradients).
template <typename Visit>
void for_tensors(const std::vector<Tensor>& tensors, std::span<const float> gradients,
                 const Visit& visit) {
  std::size_t first = 0;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const auto count = static_cast<std::size_t>(tensors[t].elements());
    visit(t, gradients.subspan(first, count));
    first += count;
  }
}

float inverse(float scale) {
  return scale > 0 ? 1 / scale : 0;
}

class TernGrad final : public Codec {
 public:
  TernGrad(const Group& group, const CodecOptions& options)
      : options_(options), tensors_(group.tensors) {}

  void encode(std::span<const float> gradients, std::int32_t iteration,
              std::span<std::byte> code) override {
    const NoiseKey key = noise_key(options_, iteration);
    auto* scales = reinterpret_cast<float*>(code.data());
    auto* planes = reinterpret_cast<std::uint8_t*>(scales + tensors_.size());
    for_tensors(tensors_, gradients, [&](std::size_t t, std::span<const float> tensor) {
      scales[t] = scale_of(tensor);
    });
    for_runs(tensors_, [&](std::size_t t, std::size_t first, std::size_t count) {
      quantise(gradients.data() + first, count, inverse(scales[t]), kLevels, key,
               static_cast<std::uint32_t>(first), numbers_);
      pack(numbers_, count, kBits, planes);
      planes += kBits * plane_bytes(count);
    });
  }

  void decode(std::span<const std::byte> code, std::span<float> gradients, bool adds) override {
    const auto* scales = reinterpret_cast<const float*>(code.data());
    const auto* planes = reinterpret_cast<const std::uint8_t*>(scales + tensors_.size());
    for_runs(tensors_, [&](std::size_t t, std::size_t first, std::size_t count) {
      unpack(planes, count, kBits, numbers_);
      dequantise(numbers_, count, scales[t], kLevels, gradients.data() + first, adds);
      planes += kBits * plane_bytes(count);
    });
  }

 private:
  CodecOptions options_;
  std::vector<Tensor> tensors_;
  std::uint8_t numbers_[kRun] = {};
};

class TernGradShared final : public Codec {
 public:
  TernGradShared(const Group& group, const CodecOptions& options)
      : options_(options), tensors_(group.tensors), scales_(group.tensors.size()) {}

  void encode(std::span<const float> gradients, std::int32_t iteration,
              std::span<std::byte> code) override {
    gradients_ = gradients;
    key_ = noise_key(options_, iteration);
    auto* scales = reinterpret_cast<float*>(code.data());
    for_tensors(tensors_, gradients, [&](std::size_t t, std::span<const float> tensor) {
      scales[t] = scale_of(tensor);
    });
  }

  void encode_next(std::span<const std::byte> together, std::span<std::byte> code) override {
    const auto* scales = reinterpret_cast<const float*>(together.data());
    std::copy_n(scales, scales_.size(), scales_.begin());
    auto* signs = reinterpret_cast<std::int8_t*>(code.data());
    for_runs(tensors_, [&](std::size_t t, std::size_t first, std::size_t count) {
      quantise(gradients_.data() + first, count, inverse(scales_[t]), kLevels, key_,
               static_cast<std::uint32_t>(first), numbers_);
      for (std::size_t i = 0; i < count; ++i)
        signs[first + i] = static_cast<std::int8_t>(numbers_[i] - kLevels);
    });
  }

  void decode(std::span<const std::byte> code, std::span<float> gradients, bool adds) override {
    LOCKSTEP_CHECK(!adds, "these codes are added before they are decoded");
    const auto* sums = reinterpret_cast<const std::int8_t*>(code.data());
    for_runs(tensors_, [&](std::size_t t, std::size_t first, std::size_t count) {
      for (std::size_t i = first; i < first + count; ++i)
        gradients[i] = static_cast<float>(sums[i]) * scales_[t];
    });
  }

 private:
  CodecOptions options_;
  std::vector<Tensor> tensors_;
  std::vector<float> scales_;  // that the ranks share in this iteration
  std::span<const float> gradients_;
  NoiseKey key_;
  std::uint8_t numbers_[kRun] = {};
};

}  // namespace

std::unique_ptr<Codec> make_terngrad(const Group& group, const CodecOptions& options) {
  if (group.codec.method == Method::TernGradShared)
    return std::make_unique<TernGradShared>(group, options);
  return std::make_unique<TernGrad>(group, options);
}

}  // namespace lockstep::exec
