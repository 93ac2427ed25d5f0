// SPDX-License-Identifier: Apache-2.0
// The plain numbers that name things.
#pragma once

#include <cstdint>

namespace lockstep {

/// A worker process, 0 … ranks−1. Signed, so that (rank − 1) is what it looks like.
using Rank = std::int32_t;

/// A host of a topology, in the order of its file.
using HostId = std::int32_t;

/// A directed link of a topology, in the order of its file.
using LinkId = std::int32_t;

}  // namespace lockstep
