// SPDX-License-Identifier: Apache-2.0
// A few levels per gradient, rounded at random.
#pragma once

#include <memory>

#include "exec/codecs/codec.h"

namespace lockstep::exec {

/// Qsgd (Alistarh et al. 2017), with b bits per element: s = 2^(b−1) − 1 levels on each side of
/// zero for every run of kQsgdRun elements, up to its largest magnitude, as in their experiments:
/// that is far less than the run's norm, which their theory takes. For a run v of n: E q = v,
/// E|q − v|² ≤ min(n max²|v| / 4s², Σ|vᵢ| max|v| / s) ≤ min(n/s², √n/s) |v|² (their lemma 3.1). A
/// code is the scales, then the runs' planes (bits.h).
std::unique_ptr<Codec> make_qsgd(const compression::Group& group, const CodecOptions& options);

}  // namespace lockstep::exec
