// SPDX-License-Identifier: Apache-2.0
// Codecs of gradients as data: names, what travels in which stages, how many bytes. The arithmetic
// is in exec/codecs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/schedule/schedule.h"

namespace lockstep::compression {

/// EF: with error feedback (Seide et al. 2014, Karimireddy et al. 2019): what a code leaves out is
/// added to the next gradient.
enum class Method : std::uint8_t {
  None,            // summed where they are
  Float32,         // exact, but close together
  Float16,         // IEEE half precision; sums are rounded again at every hop
  BFloat16,        // the upper half of single precision; likewise
  TopK,            // the largest of magnitude, EF
  TopKPlain,       // the same without
  Dgc,             // Deep Gradient Compression: top-k with momentum correction (Lin et al. 2018)
  RandomK,         // the same random ones on all ranks, EF
  SignVote,        // signs, by majority (Bernstein et al. 2018, signSGD); the sum is ±1
  EfSign,          // mean magnitude of a column × sign, EF (Karimireddy et al. 2019)
  Qsgd,            // random rounding to a few levels (Alistarh et al. 2017)
  TernGrad,        // random rounding to −s, 0, s, with an s per tensor and rank (Wen et al. 2017)
  TernGradShared,  // the same with an s that the ranks share, so that codes can be added
  OneBit,          // two means per column, EF (Seide et al. 2014)
  PowerSgd,        // a product of thin matrices, EF, warm start (Vogels et al. 2019)
};

struct Codec {
  Method method = Method::None;
  /// TopK … RandomK: the share that is sent; Qsgd: bits per element; PowerSgd: the rank.
  double parameter = 0;
  friend bool operator==(const Codec&, const Codec&) = default;
};

const std::vector<Method>& all_methods();
/// "fp16", "top-k".
std::string name_of(Method method);
/// "fp16", "top-k:0.01": as the command line and the job file spell it.
std::string name_of(const Codec& codec);
/// Reads such a text; without a parameter the usual one. Throws ConfigError, with a suggestion.
Codec parse_codec(const std::string& text, const std::string& where);

/// A tensor as a matrix: the outputs are the columns, next to each other in memory.
struct Tensor {
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;

  std::uint64_t elements() const { return rows * columns; }
  friend bool operator==(const Tensor&, const Tensor&) = default;
};

/// Whether the codec is for such a tensor: vectors are left alone by all but the rounding ones, and
/// so are matrices that PowerSGD would not make much smaller.
bool is_for(const Codec& codec, const Tensor& tensor);

/// Gradients that are encoded together, one tensor after the other.
struct Group {
  Codec codec;
  std::vector<Tensor> tensors;

  std::uint64_t elements() const;
  friend bool operator==(const Group&, const Group&) = default;
};

/// How the ranks' codes come together.
enum class Exchange : std::uint8_t {
  Sum,      // by any all-reduce
  Maximum,  // likewise
  Gather,   // by an all-gather: each rank decodes all
  Vote,     // each rank counts the votes on its chunk; what won is gathered
};

/// An exchange of a code, of so many elements: Gather per rank, Vote per chunk, otherwise in all.
struct Stage {
  Exchange exchange = Exchange::Sum;
  schedule::ElementType type = schedule::ElementType::Byte;
  std::uint64_t count = 0;
};
/// The stages of a group's code, one after the other; fixed in advance, whatever the gradients are.
std::vector<Stage> stages_of(const Group& group, std::int32_t ranks);

/// Whether it takes an algorithm for all-gather.
bool gathers(const Codec& codec);

/// Whether what it decodes has SGD's momentum in it already, which the optimizer is not to add
/// again.
bool holds_momentum(const Codec& codec);

/// Whether it was seen to train as well as none, to half a point of accuracy
/// (tests/benchmarks/README.md): what may be chosen for people.
bool is_advised(const Codec& codec);

/// Elements that TopK … RandomK send of `elements`: at least one, if there are any.
std::uint64_t kept_of(const Codec& codec, std::uint64_t elements);

/// Qsgd: elements that share a scale, and its levels above zero, for such a number of bits.
inline constexpr std::uint64_t kQsgdRun = 512;
inline std::int32_t qsgd_levels(std::int32_t bits) {
  return (1 << (bits - 1)) - 1;
}

/// What encoding, or decoding one code, asks of a processor at least, for machines on which it was
/// not measured: per element of the group.
struct Effort {
  double flops_per_element = 0;
  double bytes_per_element = 0;  // between cache and memory
};
struct Efforts {
  Effort encode;
  Effort decode;
};
Efforts efforts_of(const Codec& codec);

}  // namespace lockstep::compression
