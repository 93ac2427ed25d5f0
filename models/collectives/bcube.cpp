// SPDX-License-Identifier: Apache-2.0
#include "models/collectives/bcube.h"

#include "models/collectives/exchange.h"

namespace lockstep::collectives {

namespace {

std::vector<std::int32_t> radices_of(std::int32_t ranks) {
  std::vector<std::int32_t> radices;
  const auto divide_by = [&](std::int32_t radix) {
    for (; ranks % radix == 0; ranks /= radix)
      radices.push_back(radix);
  };
  divide_by(4);
  for (std::int32_t prime = 2; prime <= ranks / prime; ++prime)
    divide_by(prime);
  if (ranks > 1) radices.push_back(ranks);
  std::sort(radices.rbegin(), radices.rend());
  return radices;
}

}  // namespace

std::shared_ptr<const schedule::StepSource> make_bcube(const Operation& operation) {
  return make_exchange(operation, radices_of(operation.ranks));
}

Time bcube_closed_form(const Operation& operation, const IdealNetwork& network) {
  return exchange_closed_form(operation, radices_of(operation.ranks), network);
}

}  // namespace lockstep::collectives
