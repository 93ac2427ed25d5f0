// SPDX-License-Identifier: Apache-2.0
// What the update does to tensors that are tracked, not learnt.
#pragma once

#include <span>

namespace lockstep::exec {

/// running ← (1 − weight) · running + weight · batch. Both spans have one length.
void move_running_mean(std::span<float> running, std::span<const float> batch, float weight);

}  // namespace lockstep::exec
