// SPDX-License-Identifier: Apache-2.0
// A prediction and a measurement of one job, with figures that are easy to compare by hand.
#pragma once

#include "models/results/result.h"

namespace lockstep::results {

/// Two ranks on two hosts, all optional fields of a prediction present.
inline Result sample_prediction() {
  Result result;
  result.origin = Origin::Predicted;
  result.job.ranks = 2;
  result.job.iterations = 100;
  result.job.topology = "pair.json";
  result.topology.name = "pair";
  result.topology.hosts = {{.name = "a"}, {.name = "b"}};
  const auto link = [](std::int32_t from, std::int32_t to) {
    topology::Link cable;
    cable.from = from;
    cable.to = to;
    cable.bytes_per_second = 125e6;
    cable.latency = Time{25'000'000};
    return cable;
  };
  result.topology.links = {link(0, 1), link(1, 0)};
  result.machine_json = R"({
    "schema": "lockstep.machine/1", "name": "example", "origin": "datasheet", "date": "",
    "cores": 2, "flops_per_core": "50 GFLOP/s", "memory_bandwidth": "20 GB/s",
    "loopback_bandwidth": "2 GB/s", "combine_per_byte": "100 ps",
    "message": {"send_overhead": "5 us", "receive_overhead": "5 us", "send_core_per_byte": "0 s",
                "receive_core_per_byte": "0 s", "latency": "10 us", "window": 65536}})";
  result.provenance = {"0.1.0", "laptop", "2024-05-06T07:08:09Z", UINT64_MAX};
  result.summary.iteration_seconds = {0.04, 0.0392, 0.045};
  result.summary.images_per_second = 1600;
  result.summary.scaling_efficiency = 0.9;
  result.summary.compute_seconds = 0.03;
  result.summary.exposed_communication_seconds = 0.008;
  result.summary.wait_seconds = 0.0015;
  result.summary.bytes_sent_per_rank = 4'799'528;
  result.summary.interval_90 = {0.036, 0.044};
  result.summary.iterations = 90;
  result.buckets = {{0, 4'719'144, 0.012}, {1, 80'384, 0.001}};
  result.links = {{"a->b", 4'799'528, 0.96}, {"b->a", 4'799'528, 0.96}};
  result.ranks = {{0, "a", 32, 0.03, 0.008, 0.001, 4'799'528},
                  {1, "b", 32, 0.1 + 0.2, 0.008, 0.002, 4'799'528}};
  return result;
}

/// The same job measured: the mean iteration is 0.05 s, a quarter more.
inline Result sample_measurement() {
  Result result = sample_prediction();
  result.origin = Origin::Measured;
  result.machine_json.clear();
  result.summary.iteration_seconds = {0.05, 0.049, 0.06};
  result.summary.images_per_second = 1280;
  result.summary.scaling_efficiency.reset();
  result.summary.interval_90.reset();
  result.summary.wait_seconds = 0;
  result.buckets[0].seconds = 0.016;
  result.learning = Learning{{2.5, 1.25, 0.625}, 0.875};
  return result;
}

}  // namespace lockstep::results
