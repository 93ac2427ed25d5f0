// SPDX-License-Identifier: Apache-2.0
#include "cli/envelope_json.h"

#include "models/base/object_json.h"
#include "models/training/job_json.h"

namespace lockstep::cli {

std::string to_json(const Envelope& envelope) {
  return to_text({{"job", Json::parse(training::to_json(envelope.job))},
                  {"network", Json::parse(network::to_json(envelope.network))},
                  {"topology", Json::parse(topology::to_json(envelope.topology))},
                  {"images", envelope.images},
                  {"strict", envelope.strict},
                  {"replica_check", envelope.replica_check},
                  {"test_every", envelope.test_every},
                  {"iterations_done", envelope.iterations_done},
                  {"checkpoint_every", envelope.checkpoint_every},
                  {"trace_first", envelope.trace_first},
                  {"trace_end", envelope.trace_end}});
}

Envelope parse_envelope(const std::string& text) {
  const std::string where = "the job that rank 0 sent";
  const Json json = parse_json(text, where);
  const ObjectReader object(
      json, where, "",
      {"job", "network", "topology", "images", "strict", "replica_check", "test_every",
       "iterations_done", "checkpoint_every", "trace_first", "trace_end"});
  Envelope envelope;
  envelope.job = training::parse_job(object.value("job").dump(), where);
  envelope.network = network::parse_network(object.value("network").dump(), where);
  envelope.topology = topology::parse_topology(object.value("topology").dump(), where);
  envelope.images = object.integer<std::uint64_t>("images");
  envelope.strict = object.boolean("strict");
  envelope.replica_check = object.integer<std::int32_t>("replica_check");
  envelope.test_every = object.integer<std::int32_t>("test_every");
  envelope.iterations_done = object.integer<std::int32_t>("iterations_done");
  envelope.checkpoint_every =
      object.integer<std::int32_t>("checkpoint_every", kNoCheckpoints, INT32_MAX);
  envelope.trace_first = object.integer<std::int32_t>("trace_first");
  envelope.trace_end = object.integer<std::int32_t>("trace_end");
  return envelope;
}

}  // namespace lockstep::cli
