// SPDX-License-Identifier: Apache-2.0
#include "exec/codecs/qsgd.h"

#include <algorithm>

#include "exec/codecs/bits.h"
#include "exec/codecs/quantise.h"
#include "exec/codecs/sums.h"

namespace lockstep::exec {

namespace {

using compression::Group;

class Qsgd final : public Codec {
 public:
  Qsgd(const Group& group, const CodecOptions& options)
      : options_(options),
        bits_(static_cast<int>(group.codec.parameter)),
        levels_(compression::qsgd_levels(bits_)) {}

  void encode(std::span<const float> gradients, std::int32_t iteration,
              std::span<std::byte> code) override {
    const NoiseKey key = noise_key(options_, iteration);
    auto* scales = reinterpret_cast<float*>(code.data());
    auto* planes = reinterpret_cast<std::uint8_t*>(scales + runs(gradients.size()));
    for (std::size_t first = 0; first < gradients.size(); first += kRun) {
      const std::span<const float> run =
          gradients.subspan(first, std::min(kRun, gradients.size() - first));
      const float largest = largest_magnitude(run);
      const float scale = largest > 0 ? static_cast<float>(levels_) / largest : 0;
      quantise(run.data(), run.size(), scale, levels_, key, static_cast<std::uint32_t>(first),
               numbers_);
      pack(numbers_, run.size(), bits_, planes);
      *scales++ = largest;
      planes += static_cast<std::size_t>(bits_) * plane_bytes(run.size());
    }
  }

  void decode(std::span<const std::byte> code, std::span<float> gradients, bool adds) override {
    const auto* scales = reinterpret_cast<const float*>(code.data());
    const auto* planes = reinterpret_cast<const std::uint8_t*>(scales + runs(gradients.size()));
    for (std::size_t first = 0; first < gradients.size(); first += kRun) {
      const std::size_t count = std::min(kRun, gradients.size() - first);
      unpack(planes, count, bits_, numbers_);
      dequantise(numbers_, count, *scales / static_cast<float>(levels_), levels_,
                 gradients.data() + first, adds);
      ++scales;
      planes += static_cast<std::size_t>(bits_) * plane_bytes(count);
    }
  }

 private:
  static std::size_t runs(std::size_t elements) { return (elements + kRun - 1) / kRun; }

  CodecOptions options_;
  int bits_;
  std::int32_t levels_;
  std::uint8_t numbers_[kRun] = {};
};

}  // namespace

std::unique_ptr<Codec> make_qsgd(const Group& group, const CodecOptions& options) {
  return std::make_unique<Qsgd>(group, options);
}

}  // namespace lockstep::exec
