// SPDX-License-Identifier: Apache-2.0
#include "exec/codecs/rounding.h"

#include <cstring>

#include "exec/codecs/half.h"
#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

using compression::Method;

class Rounding final : public Codec {
 public:
  explicit Rounding(Method method) : method_(method) {}

  void encode(std::span<const float> gradients, std::int32_t, std::span<std::byte> code) override {
    auto* halves = reinterpret_cast<std::uint16_t*>(code.data());
    if (method_ == Method::Float16)
      to_float16(gradients.data(), halves, gradients.size());
    else if (method_ == Method::BFloat16)
      to_bfloat16(gradients.data(), halves, gradients.size());
    else
      std::memcpy(code.data(), gradients.data(), gradients.size_bytes());
  }

  void decode(std::span<const std::byte> code, std::span<float> gradients, bool adds) override {
    LOCKSTEP_CHECK(!adds, "these codes are added before they are decoded");
    const auto* halves = reinterpret_cast<const std::uint16_t*>(code.data());
    if (method_ == Method::Float16)
      from_float16(halves, gradients.data(), gradients.size());
    else if (method_ == Method::BFloat16)
      from_bfloat16(halves, gradients.data(), gradients.size());
    else
      std::memcpy(gradients.data(), code.data(), gradients.size_bytes());
  }

 private:
  Method method_;
};

}  // namespace

std::unique_ptr<Codec> make_rounding(const compression::Group& group) {
  return std::make_unique<Rounding>(group.codec.method);
}

}  // namespace lockstep::exec
