// SPDX-License-Identifier: Apache-2.0
// Gradients as products of thin matrices.
#pragma once

#include <memory>

#include "exec/codecs/codec.h"

namespace lockstep::exec {

/// PowerSgd of rank r (Vogels et al. 2019, algorithm 1). Per tensor, with its u = e + g as a matrix
/// M of rows × columns: the ranks add P = M·Q, make its columns orthonormal, add Q = Mᵀ·P, and end
/// with P·Qᵀ, which is the same of ΣM; of it each rank's share is 1/ranks, and e what M has beyond.
/// The next iteration begins with this Q; the first with normal random numbers, the same on all.
/// Codes are the tensors' P, r columns one after the other, then their Q likewise.
std::unique_ptr<Codec> make_power_sgd(const compression::Group& group, const CodecOptions& options);

/// Makes `columns` vectors of `rows` elements, one after the other, orthonormal (Gram and Schmidt,
/// twice); one that depends on those before becomes 0. The same to the bit on any processor.
void orthonormalise(float* vectors, std::size_t rows, std::size_t columns);

}  // namespace lockstep::exec
