// SPDX-License-Identifier: Apache-2.0
// The order of a parameter's elements in files, which is PyTorch's, and in the flat buffers.
#pragma once

#include <cstdint>
#include <vector>

#include "models/network/network.h"

namespace lockstep::exec {

/// In files the output comes first and images are channel by channel: a convolution's weight is
/// out × in × height × width, a dense layer's out × in. The features that a flatten makes of a map,
/// or a dense layer sees of one, are counted channel, row, column there, and row, column, channel
/// in our buffers; so are what normalises them or is fed by them.
class TensorOrder {
 public:
  /// Of tensor `tensor` of layer `layer`. `network` must outlive it.
  TensorOrder(const network::Network& network, std::size_t layer, std::size_t tensor);

  const std::vector<std::uint64_t>& file_shape() const { return file_shape_; }

  /// Calls visit(index in the layer's part of the flat buffers, index in the file) for all
  /// elements.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    std::uint64_t ours = 0;
    for (std::uint64_t position = 0; position < positions_; ++position)
      for (const std::uint64_t input : inputs_)
        for (const std::uint64_t output : outputs_)
          visit(ours++, (output * inputs_.size() + input) * positions_ + position);
  }

 private:
  std::vector<std::uint64_t> file_shape_;
  std::uint64_t positions_ = 1;         // of a convolution's window
  std::vector<std::uint64_t> inputs_;   // the file's number of each of our inputs
  std::vector<std::uint64_t> outputs_;  // likewise
};

}  // namespace lockstep::exec
