// SPDX-License-Identifier: Apache-2.0
// What a network has learnt, and where its training stands, as safetensors files that PyTorch's
// load_state_dict takes by name.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/network/network.h"
#include "models/training/job.h"

namespace lockstep::exec {

/// Writes all parameters, running means and variances included. Throws ConfigError.
void save_parameters(const std::string& path, const network::Network& network,
                     std::span<const float> parameters);

/// Reads them by name into the flat buffer; other tensors are passed over. Throws ConfigError: one
/// is missing or has another shape.
void load_parameters(const std::string& path, const network::Network& network,
                     std::span<float> parameters);

/// Writes where the training of a job stands after `iterations` iterations: parameters, and the
/// optimizer's state: "momentum_buffer." or what else state_names() says, and the parameter's name;
/// and what each rank keeps for itself (Replica::own_memory), under "own_memory." and the rank.
/// Throws ConfigError.
void save_checkpoint(const std::string& path, const network::Network& network,
                     const training::Job& job, std::int32_t iterations,
                     std::span<const float> parameters, std::span<const float> state,
                     const std::vector<std::vector<float>>& own_memories = {});

/// Reads what save_checkpoint wrote, from where a job with the same batch, seed and compression
/// goes on bit for bit; returns the iterations done. Throws ConfigError: what load_parameters
/// throws; it is no checkpoint, or one of another batch, seed or compression, or of ranks that
/// differ in another way.
std::int32_t load_checkpoint(const std::string& path, const network::Network& network,
                             const training::Job& job, std::span<float> parameters,
                             std::span<float> state);
/// Reads what a rank keeps for itself, so many floats. Throws ConfigError, too if there are more
/// or fewer, or it is of another number of ranks.
std::vector<float> load_own_memory(const std::string& path, const training::Job& job, Rank rank,
                                   std::size_t floats);

/// The iterations that a checkpoint says are done, without reading more. Throws ConfigError.
std::int32_t iterations_of_checkpoint(const std::string& path);

}  // namespace lockstep::exec
