// SPDX-License-Identifier: Apache-2.0
// What the update does to tensors that are tracked, not learnt.
#pragma once

#include <span>

namespace lockstep::exec {

/// running ← (1 − weight) · running + weight · batch. Both spans have one length.
void move_running_mean(std::span<float> running, std::span<const float> batch, float weight);
/// running ← running + weight · part: more of a batch by which it has moved already.
void add_to_running_mean(std::span<float> running, std::span<const float> part, float weight);

}  // namespace lockstep::exec
