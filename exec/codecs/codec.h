// SPDX-License-Identifier: Apache-2.0
// The arithmetic of codecs: gradients to codes and back. What travels, and how many bytes of it, is
// in models/compression.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "models/base/ids.h"
#include "models/compression/codec.h"

namespace lockstep::exec {

/// What a codec has to know besides its group.
struct CodecOptions {
  std::uint64_t seed = 1;   // of the job; codes are drawn from (seed, group, rank, iteration)
  std::uint64_t group = 0;  // number of the group in the job
  Rank rank = 0;
  std::int32_t ranks = 1;
  double momentum = 0;  // Dgc, EfSign: they take the optimizer's place in this
};

/// One rank's codec of one group of gradients, with what it keeps from iteration to iteration. What
/// ranks decode from the same bytes is the same to the bit, on any processor.
class Codec {
 public:
  virtual ~Codec() = default;

  /// Encodes a rank's gradients, group.elements() of them, tensor by tensor; `code` has the bytes
  /// of the first stage, which for a gathered code are one rank's.
  virtual void encode(std::span<const float> gradients, std::int32_t iteration,
                      std::span<std::byte> code) = 0;
  /// The next stage: `together` is what the ranks' codes have become. For a vote: one chunk of
  /// every rank, and `code` is what won of it.
  virtual void encode_next(std::span<const std::byte> together, std::span<std::byte> code);
  /// Writes what a code stands for, or `adds` it.
  virtual void decode(std::span<const std::byte> code, std::span<float> gradients, bool adds) = 0;

  /// What training needs to go on from here, bit for bit: may be read and written between two
  /// iterations.
  virtual std::span<float> memory() { return {}; }

 protected:
  Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
};

std::unique_ptr<Codec> make_codec(const compression::Group& group, const CodecOptions& options);

/// The sum of what all ranks' codes stand for, which lie one after the other; or what the one code
/// stands for that the ranks have together.
void decode_all(Codec& codec, std::span<const std::byte> codes, std::int32_t count,
                std::span<float> gradients);

}  // namespace lockstep::exec
