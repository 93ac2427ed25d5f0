// SPDX-License-Identifier: Apache-2.0
#include "exec/codecs/random_k.h"

#include <algorithm>
#include <vector>

#include "models/base/errors.h"
#include "models/base/random.h"

namespace lockstep::exec {

namespace {

using compression::Group;

class RandomK final : public Codec {
 public:
  RandomK(const Group& group, const CodecOptions& options)
      : seed_(options.seed), group_(options.group), residual_(group.elements()) {
    indices_.resize(kept_of(group.codec, group.elements()));
  }

  void encode(std::span<const float> gradients, std::int32_t iteration,
              std::span<std::byte> code) override {
    draw(iteration);
    for (std::size_t i = 0; i < residual_.size(); ++i)
      residual_[i] += gradients[i];
    auto* sent = reinterpret_cast<float*>(code.data());
    for (const std::size_t index : indices_) {
      *sent++ = residual_[index];
      residual_[index] = 0;
    }
  }

  void decode(std::span<const std::byte> code, std::span<float> gradients, bool adds) override {
    LOCKSTEP_CHECK(!adds, "these codes are added before they are decoded");
    std::fill(gradients.begin(), gradients.end(), 0.0F);
    const auto* sent = reinterpret_cast<const float*>(code.data());
    for (const std::size_t index : indices_)
      gradients[index] = *sent++;
  }
  std::span<float> memory() override { return residual_; }

 private:
  void draw(std::int32_t iteration) {
    Random random(seed_, group_, static_cast<std::uint64_t>(iteration));
    const std::size_t pieces = indices_.size();
    for (std::size_t i = 0; i < pieces; ++i) {
      const std::size_t first = residual_.size() * i / pieces;
      const std::size_t end = residual_.size() * (i + 1) / pieces;
      indices_[i] = first + static_cast<std::size_t>(random.below(end - first));
    }
  }

  std::uint64_t seed_;
  std::uint64_t group_;
  std::vector<float> residual_;
  std::vector<std::size_t> indices_;  // of this iteration
};

}  // namespace

std::unique_ptr<Codec> make_random_k(const Group& group, const CodecOptions& options) {
  return std::make_unique<RandomK>(group, options);
}

}  // namespace lockstep::exec
