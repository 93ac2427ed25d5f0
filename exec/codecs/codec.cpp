// SPDX-License-Identifier: Apache-2.0
#include "exec/codecs/codec.h"

#include "exec/codecs/one_bit.h"
#include "exec/codecs/power_sgd.h"
#include "exec/codecs/qsgd.h"
#include "exec/codecs/random_k.h"
#include "exec/codecs/rounding.h"
#include "exec/codecs/sign.h"
#include "exec/codecs/terngrad.h"
#include "exec/codecs/top_k.h"
#include "models/base/errors.h"

namespace lockstep::exec {

using compression::Method;

void Codec::encode_next(std::span<const std::byte>, std::span<std::byte>) {
  LOCKSTEP_CHECK(false, "this code has one stage only");
}

std::unique_ptr<Codec> make_codec(const compression::Group& group, const CodecOptions& options) {
  switch (group.codec.method) {
    case Method::None:
      break;
    case Method::Float32:
    case Method::Float16:
    case Method::BFloat16:
      return make_rounding(group);
    case Method::TopK:
    case Method::TopKPlain:
    case Method::Dgc:
      return make_top_k(group, options);
    case Method::RandomK:
      return make_random_k(group, options);
    case Method::SignVote:
    case Method::EfSign:
      return make_sign(group, options);
    case Method::Qsgd:
      return make_qsgd(group, options);
    case Method::TernGrad:
    case Method::TernGradShared:
      return make_terngrad(group, options);
    case Method::OneBit:
      return make_one_bit(group);
    case Method::PowerSgd:
      return make_power_sgd(group, options);
  }
  LOCKSTEP_CHECK(false, "no arithmetic for " + name_of(group.codec));
}

void decode_all(Codec& codec, std::span<const std::byte> codes, std::int32_t count,
                std::span<float> gradients) {
  const std::size_t size = codes.size() / static_cast<std::size_t>(count);
  for (std::int32_t i = 0; i < count; ++i)
    codec.decode(codes.subspan(static_cast<std::size_t>(i) * size, size), gradients, i > 0);
}

}  // namespace lockstep::exec
