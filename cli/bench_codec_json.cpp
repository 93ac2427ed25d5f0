// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_codec_json.h"

#include "models/base/object_json.h"

namespace lockstep::cli {

std::string to_json(const CodecBench& bench, const results::Provenance& provenance) {
  Json rows = Json::array();
  for (const CodecRow& row : bench.rows)
    rows.push_back({{"codec", row.codec},
                    {"elements", row.elements},
                    {"code_bytes", row.code_bytes},
                    {"encode_seconds", row.times.encode},
                    {"encode_next_seconds", row.times.encode_next},
                    {"decode_seconds", row.times.decode},
                    {"decode_another_seconds", row.times.decode_another},
                    {"relative_error", row.times.relative_error}});
  return to_text(
      {{"schema", "lockstep.bench-codec/1"},
       {"network", bench.network},
       {"gradients", bench.gradients},
       {"iterations", bench.iterations},
       {"batch", bench.batch},
       {"rows", rows},
       {"provenance",
        {{"version", provenance.version}, {"host", provenance.host}, {"time", provenance.time}}}});
}

}  // namespace lockstep::cli
