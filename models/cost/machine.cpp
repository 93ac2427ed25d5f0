// SPDX-License-Identifier: Apache-2.0
#include "models/cost/machine.h"

#include <algorithm>
#include <iterator>

#include "models/base/errors.h"

namespace lockstep::cost {

double LayerCost::seconds_of(double units) const {
  const auto fitted = [this](double at) { return seconds.fixed + seconds.per_unit * at; };
  if (samples.empty()) return fitted(units);
  const auto next =
      std::lower_bound(samples.begin(), samples.end(), units,
                       [](const Sample& sample, double value) { return sample.units < value; });
  if (was_measured_at(units)) {
    if (next->units == units) return next->seconds;
    const Sample& before = *std::prev(next);
    const double share = (units - before.units) / (next->units - before.units);
    return before.seconds + share * (next->seconds - before.seconds);
  }
  const Sample& nearest = next == samples.end() ? samples.back() : samples.front();
  const double at_nearest = fitted(nearest.units);
  return at_nearest > 0 ? nearest.seconds * fitted(units) / at_nearest : nearest.seconds;
}

const LayerCost* Machine::find(const std::string& signature, const std::string& direction,
                               std::int32_t threads) const {
  for (const LayerCost& layer : layers)
    if (layer.signature == signature && layer.direction == direction && layer.threads == threads)
      return &layer;
  return nullptr;
}

void scale_computing(Machine& machine, double factor) {
  machine.flops_per_core /= factor;
  for (LayerCost& layer : machine.layers) {
    layer.seconds.fixed *= factor;
    layer.seconds.per_unit *= factor;
    for (Sample& sample : layer.samples)
      sample.seconds *= factor;
  }
}

namespace {

void scale(MessageCost& message, double factor) {
  for (double* cost : {&message.send_overhead_seconds, &message.receive_overhead_seconds,
                       &message.send_core_seconds_per_byte, &message.receive_core_seconds_per_byte,
                       &message.latency_seconds})
    *cost *= factor;
}

void scale(std::vector<MessageSample>& samples, double factor) {
  for (MessageSample& sample : samples)
    for (double* seconds :
         {&sample.send_seconds, &sample.store_seconds, &sample.add_seconds, &sample.round_seconds})
      *seconds *= factor;
}

}  // namespace

void scale_messages(Machine& machine, double factor) {
  scale(machine.message, factor);
  if (machine.between_hosts) scale(*machine.between_hosts, factor);
  for (auto& [how, costs] : machine.exchanges)
    for (std::vector<MessageSample>* samples : {&costs.apart, &costs.together, &costs.crowded})
      scale(*samples, factor);
  machine.loopback_bytes_per_second /= factor;
  machine.combine_seconds_per_byte *= factor;
}

std::string codec_signature(const std::string& codec) {
  return "codec " + codec;
}

namespace {

std::string update_name(network::Optimizer optimizer) {
  switch (optimizer) {
    case network::Optimizer::Sgd:
      return "update";
    case network::Optimizer::Nesterov:
      return "update, nesterov";
    case network::Optimizer::Lars:
      return "update, lars";
    case network::Optimizer::Lamb:
      return "update, lamb";
    case network::Optimizer::Adam:
      return "update, adam";
  }
  return "update";
}

}  // namespace

RowName row_name(const network::Work& work, const network::Network& network) {
  const auto stage = [&] {
    return network.signature(network.stages[static_cast<std::size_t>(work.stage)]);
  };
  switch (work.kind) {
    case network::WorkKind::Input:
      return {"input " + network::to_string(network.input) +
                  (work.input == network::InputKind::Jpeg ? ", jpeg" : "") +
                  (work.augment ? ", augmented" : ""),
              ""};
    case network::WorkKind::Sums:
      return {stage(), "sums"};
    case network::WorkKind::Forward:
      return {stage(), "forward"};
    case network::WorkKind::Loss:
      return {"loss " + std::to_string(network.scores()), ""};
    case network::WorkKind::GradientSums:
      return {stage(), "gradient sums"};
    case network::WorkKind::Backward:
      return {stage(), "backward"};
    case network::WorkKind::Accumulate:
      return {work.micro_batch == 0 ? "copy gradients" : "accumulate gradients", ""};
    case network::WorkKind::PartNorm:
    case network::WorkKind::WholeNorm:
      return {"norm of gradients", ""};
    case network::WorkKind::Weigh:  // these are copies, too
    case network::WorkKind::Adopt:
    case network::WorkKind::HandOut:
      return {"copy gradients", ""};
    case network::WorkKind::Update:
    case network::WorkKind::Apply:
      return {update_name(work.optimizer), ""};
  }
  return {};
}

}  // namespace lockstep::cost
