// SPDX-License-Identifier: Apache-2.0
#include "exec/codecs/top_k.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "exec/codecs/selection.h"

namespace lockstep::exec {

namespace {

using compression::Group;
using compression::Method;

/// Writes what is selected; returns the indices.
std::span<const std::uint32_t> write(Selection& selection, std::span<const float> values,
                                     std::span<std::byte> code) {
  const std::size_t kept = code.size() / (sizeof(std::uint32_t) + sizeof(float));
  const std::span<const std::uint32_t> indices = selection.largest(values, kept);
  auto* of_indices = reinterpret_cast<std::uint32_t*>(code.data());
  auto* of_values = reinterpret_cast<float*>(code.data() + kept * sizeof(std::uint32_t));
  for (std::size_t i = 0; i < kept; ++i) {
    of_indices[i] = indices[i];
    of_values[i] = values[indices[i]];
  }
  return indices;
}

class Sparse : public Codec {
 public:
  void decode(std::span<const std::byte> code, std::span<float> gradients, bool adds) override {
    const std::size_t kept = code.size() / (sizeof(std::uint32_t) + sizeof(float));
    const auto* indices = reinterpret_cast<const std::uint32_t*>(code.data());
    const auto* values = reinterpret_cast<const float*>(code.data() + kept * sizeof(std::uint32_t));
    if (!adds) std::fill(gradients.begin(), gradients.end(), 0.0F);
    for (std::size_t i = 0; i < kept; ++i)
      gradients[indices[i]] += values[i];
  }

 protected:
  Selection selection_;
};

class TopKPlain final : public Sparse {
 public:
  void encode(std::span<const float> gradients, std::int32_t, std::span<std::byte> code) override {
    write(selection_, gradients, code);
  }
};

class TopK final : public Sparse {
 public:
  explicit TopK(std::size_t elements) : residual_(elements) {}

  void encode(std::span<const float> gradients, std::int32_t, std::span<std::byte> code) override {
    for (std::size_t i = 0; i < residual_.size(); ++i)
      residual_[i] += gradients[i];
    for (const std::uint32_t index : write(selection_, residual_, code))
      residual_[index] = 0;
  }
  std::span<float> memory() override { return residual_; }

 private:
  std::vector<float> residual_;
};

class Dgc final : public Sparse {
 public:
  Dgc(std::size_t elements, double momentum)
      : momentum_(static_cast<float>(momentum)), kept_(2 * elements) {}

  void encode(std::span<const float> gradients, std::int32_t, std::span<std::byte> code) override {
    const std::size_t elements = gradients.size();
    float* __restrict velocity = kept_.data();
    float* __restrict total = velocity + elements;
    for (std::size_t i = 0; i < elements; ++i) {
      velocity[i] = momentum_ * velocity[i] + gradients[i];
      total[i] += velocity[i];
    }
    for (const std::uint32_t index : write(selection_, {total, elements}, code)) {
      velocity[index] = 0;
      total[index] = 0;
    }
  }
  std::span<float> memory() override { return kept_; }

 private:
  float momentum_;
  std::vector<float> kept_;  // m, then v
};

}  // namespace

std::unique_ptr<Codec> make_top_k(const Group& group, const CodecOptions& options) {
  const auto elements = static_cast<std::size_t>(group.elements());
  if (group.codec.method == Method::Dgc) return std::make_unique<Dgc>(elements, options.momentum);
  if (group.codec.method == Method::TopK) return std::make_unique<TopK>(elements);
  return std::make_unique<TopKPlain>();
}

}  // namespace lockstep::exec
