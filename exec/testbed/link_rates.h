// SPDX-License-Identifier: Apache-2.0
// Whether a testbed's links carry what they should: measured with TCP, before anything relies on
// it.
#pragma once

#include <span>
#include <vector>

#include "exec/testbed/testbed.h"
#include "models/base/ids.h"

namespace lockstep::exec {

/// What one TCP connection over each of these links carries in steady state, all of them at the
/// same time: bytes per second with headers, as the shaper counts them. Throws ConfigError.
std::vector<double> measure_links(const Testbed& testbed, std::span<const LinkId> links);

/// Measures every link, a few at a time, and those that miss their rate again. Returns how far the
/// worst one is off, as a share of its rate. Throws ConfigError when one stays off by more than
/// `tolerance`.
double verify_links(const Testbed& testbed, double tolerance);

}  // namespace lockstep::exec
