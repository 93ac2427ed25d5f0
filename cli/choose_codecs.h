// SPDX-License-Identifier: Apache-2.0
// Settles --compression auto, before either world starts.
#pragma once

#include "cli/job_options.h"

namespace lockstep::cli {

/// `resolved`, which encodes nothing, with that codec for each bucket with which the iteration is
/// predicted to be shortest; and none where the best gains less than predictions err by. Only
/// codecs are taken that were seen to keep the accuracy (is_advised). With `explains` prints,
/// bucket by bucket, what each codec would make of the iteration.
ResolvedJob choose_codecs(const ResolvedJob& resolved, const Machines& machines, bool explains);

}  // namespace lockstep::cli
