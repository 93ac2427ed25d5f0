// SPDX-License-Identifier: Apache-2.0
// Which processors of a host each of its ranks keeps to.
#pragma once

#include <algorithm>
#include <cstddef>

namespace lockstep {

/// `count` processors from number `first`.
struct ProcessorShare {
  std::size_t first = 0;
  std::size_t count = 1;
};

/// The share of the `index`-th of `ranks` ranks on a host with `processors`: one block for each, in
/// order; when there are more ranks than processors, neighbouring ranks share one.
inline ProcessorShare processor_share(std::size_t index, std::size_t ranks,
                                      std::size_t processors) {
  return {index * processors / ranks, std::max<std::size_t>(1, processors / ranks)};
}

}  // namespace lockstep
