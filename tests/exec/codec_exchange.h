// SPDX-License-Identifier: Apache-2.0
// All ranks' codecs of one group in one place, and the exchange of their codes without a network.
#pragma once

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "exec/codecs/codec.h"
#include "exec/transport/combine.h"
#include "models/base/random.h"

namespace lockstep::exec {

using Floats = std::vector<float>;

inline Floats normal_floats(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  Floats values(count);
  for (float& value : values)
    value = static_cast<float>(random.normal());
  return values;
}

class CodecExchange {
 public:
  CodecExchange(compression::Group group, std::int32_t ranks, std::uint64_t seed = 1,
                double momentum = 0)
      : group_(std::move(group)), ranks_(static_cast<std::size_t>(ranks)) {
    for (Rank rank = 0; rank < ranks; ++rank)
      codecs.push_back(make_codec(
          group_, {.seed = seed, .group = 3, .rank = rank, .ranks = ranks, .momentum = momentum}));
  }

  /// What all ranks end with after one exchange, which must be the same to the bit.
  Floats run(const std::vector<Floats>& gradients, std::int32_t iteration = 0) {
    std::vector<Bytes> together;
    bool is_gathered = false;
    for (const compression::Stage& stage : stages_of(group_, static_cast<std::int32_t>(ranks_))) {
      together = exchange(stage, gradients, iteration, together);
      is_gathered = stage.exchange == compression::Exchange::Gather;
    }
    Floats result;
    for (std::size_t rank = 0; rank < ranks_; ++rank) {
      Floats decoded(group_.elements(), 77.0F);
      const Bytes& code = together[together.size() == 1 ? 0 : rank];
      decode_all(*codecs[rank], code, is_gathered ? static_cast<std::int32_t>(ranks_) : 1, decoded);
      if (rank == 0) result = decoded;
      REQUIRE(std::memcmp(decoded.data(), result.data(), result.size() * sizeof(float)) == 0);
    }
    return result;
  }

  std::vector<std::unique_ptr<Codec>> codecs;

 private:
  using Bytes = std::vector<std::byte>;

  /// Encodes into memory that is exactly as large as it should be, between guards.
  template <typename Encode>
  static Bytes guarded(std::size_t size, const Encode& encode) {
    constexpr std::size_t kGuard = 64;
    constexpr std::byte kUntouched{0xA5};
    Bytes memory(size + 2 * kGuard, kUntouched);
    encode(std::span(memory).subspan(kGuard, size));
    for (std::size_t i = 0; i < kGuard; ++i) {
      REQUIRE(memory[i] == kUntouched);
      REQUIRE(memory[kGuard + size + i] == kUntouched);
    }
    return {memory.begin() + kGuard, memory.end() - kGuard};
  }

  std::vector<Bytes> exchange(const compression::Stage& stage, const std::vector<Floats>& gradients,
                              std::int32_t iteration, const std::vector<Bytes>& before) {
    using compression::Exchange;
    const bool votes = stage.exchange == Exchange::Vote;
    const std::size_t size = stage.count * bytes_of(stage.type) * (votes ? ranks_ : 1);
    std::vector<Bytes> codes;
    for (std::size_t rank = 0; rank < ranks_; ++rank)
      codes.push_back(guarded(size, [&](std::span<std::byte> code) {
        if (before.empty())
          codecs[rank]->encode(gradients[rank], iteration, code);
        else
          codecs[rank]->encode_next(before[0], code);
      }));
    if (votes) return {vote(codes, stage.count)};
    Bytes all = codes[0];
    for (std::size_t rank = 1; rank < ranks_; ++rank)
      if (stage.exchange == Exchange::Gather)
        all.insert(all.end(), codes[rank].begin(), codes[rank].end());
      else
        combine(stage.exchange == Exchange::Sum ? schedule::Operator::Sum : schedule::Operator::Max,
                stage.type, codes[rank], all);
    return {all};
  }

  Bytes vote(const std::vector<Bytes>& codes, std::size_t chunk) {
    Bytes won;
    for (std::size_t rank = 0; rank < ranks_; ++rank) {
      Bytes votes;
      for (const Bytes& code : codes)
        votes.insert(votes.end(), code.begin() + static_cast<std::ptrdiff_t>(rank * chunk),
                     code.begin() + static_cast<std::ptrdiff_t>((rank + 1) * chunk));
      const Bytes mine = guarded(
          chunk, [&](std::span<std::byte> code) { codecs[rank]->encode_next(votes, code); });
      won.insert(won.end(), mine.begin(), mine.end());
    }
    return won;
  }

  compression::Group group_;
  std::size_t ranks_;
};

}  // namespace lockstep::exec
