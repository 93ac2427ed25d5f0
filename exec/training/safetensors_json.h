// SPDX-License-Identifier: Apache-2.0
// Parameters as a safetensors file: a JSON header with names, shapes and places, then the floats.
#pragma once

#include <span>
#include <string>

#include "models/network/network.h"

namespace lockstep::exec {

/// The bytes of the file: float32, little endian, tensors in the order of the network's layers.
/// Activations lie height × width × channels, so the inputs of a dense layer behind a convolution
/// are in that order; the header's metadata says so.
std::string to_safetensors(const network::Network& network, std::span<const float> parameters);

}  // namespace lockstep::exec
