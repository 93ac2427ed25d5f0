// SPDX-License-Identifier: Apache-2.0
#include "exec/training/safetensors_json.h"

#include <bit>
#include <cstdint>

#include <nlohmann/json.hpp>

namespace lockstep::exec {

static_assert(std::endian::native == std::endian::little, "the floats are written as they are");

std::string to_safetensors(const network::Network& network, std::span<const float> parameters) {
  nlohmann::ordered_json header;
  header["__metadata__"] = {{"network", network.name}, {"activations", "height, width, channels"}};
  std::string data;
  for (const network::Layer& layer : network.layers) {
    for (const network::Parameter& parameter : layer.parameters) {
      const std::size_t begin = data.size();
      const std::span<const float> values = parameters.subspan(parameter.first, parameter.count);
      data.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
      header[parameter.name] = {
          {"dtype", "F32"}, {"shape", parameter.shape}, {"data_offsets", {begin, data.size()}}};
    }
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text + data;
}

}  // namespace lockstep::exec
