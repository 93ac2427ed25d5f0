// SPDX-License-Identifier: Apache-2.0
#include "models/training/job.h"

namespace lockstep::training {

std::int32_t first_of_share(std::int32_t batch, std::int32_t ranks, Rank rank) {
  return static_cast<std::int32_t>(std::int64_t{batch} * rank / ranks);
}

}  // namespace lockstep::training
