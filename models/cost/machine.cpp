// SPDX-License-Identifier: Apache-2.0
#include "models/cost/machine.h"

#include "models/base/errors.h"

namespace lockstep::cost {

const LayerCost* Machine::find(const std::string& signature, const std::string& direction,
                               std::int32_t threads) const {
  for (const LayerCost& layer : layers)
    if (layer.signature == signature && layer.direction == direction && layer.threads == threads)
      return &layer;
  return nullptr;
}

RowName row_name(const network::Work& work, const network::Network& network) {
  const auto layer = static_cast<std::size_t>(work.layer);
  switch (work.kind) {
    case network::WorkKind::Input:
      return {"input " + network::to_string(network.input), ""};
    case network::WorkKind::Forward:
      return {network.layers[layer].signature(), "forward"};
    case network::WorkKind::Loss:
      return {"loss " + std::to_string(network.classes), ""};
    case network::WorkKind::Backward:
      return {network.layers[layer].signature(), "backward"};
    case network::WorkKind::Update:
      return {"update", ""};
  }
  return {};
}

}  // namespace lockstep::cost
