// SPDX-License-Identifier: Apache-2.0
// How an update makes new parameters out of gradients: the rule and its constants.
#pragma once

#include "models/network/work.h"

namespace lockstep::training {

/// Weight decay, and the ratios of LARS and LAMB, are for weights only: biases and what normalises
/// (parameters with one axis) get neither.
struct UpdateRule {
  network::Optimizer optimizer = network::Optimizer::Sgd;
  double weight_decay = 0;  // Sgd, Nesterov, Lars: of the loss; Lamb, Adam: of the weight
  double beta2 = 0.999;     // Lamb, Adam: decay of the second moment; that of the first is momentum
  double epsilon = 1e-8;    // Lars, Lamb, Adam: keeps denominators from 0
  double trust = 0.001;     // Lars: η of You et al. 2017, eq. 6
};

}  // namespace lockstep::training
