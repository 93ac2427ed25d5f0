// SPDX-License-Identifier: Apache-2.0
// The trace of a run as Chrome trace JSON, for https://ui.perfetto.dev or chrome://tracing.
#pragma once

#include <span>
#include <string>

#include "models/results/explanation.h"
#include "models/results/trace.h"

namespace lockstep::results {

/// One process per rank ("rank 0 (host)") and one thread per lane; what a lane has outstanding at
/// the same time takes further threads ("communication 2"), because slices of one thread may not
/// overlap. A span is named after what it does ("forward conv1", "send → 1", "receive ← 3") and
/// its category is its fragment; arrows join each send with its receive. `work_names[target]` names
/// a Compute step (training::work_names). Times are rounded to nanoseconds, counted from the
/// earliest span. The order of `spans` does not matter: equal spans, equal text. A critical path is
/// one more process.
std::string to_chrome_trace(const schedule::Schedule& schedule,
                            std::span<const std::string> work_names,
                            std::span<const std::string> host_of_rank,
                            std::span<const TraceSpan> spans,
                            const Explanation* explanation = nullptr);

}  // namespace lockstep::results
