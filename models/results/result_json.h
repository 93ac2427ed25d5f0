// SPDX-License-Identifier: Apache-2.0
// The JSON text of a result (result.schema.json, README.md).
#pragma once

#include <string>

#include "models/results/result.h"

namespace lockstep::results {

/// "predicted", "measured".
std::string name_of(Origin origin);

}  // namespace lockstep::results
