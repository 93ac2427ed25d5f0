// SPDX-License-Identifier: Apache-2.0
// Memory for activations and parameters.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>

namespace lockstep::exec {

/// `count` floats on a cache line's boundary, zero at first.
class FloatBuffer {
 public:
  explicit FloatBuffer(std::size_t count)
      : data_(static_cast<float*>(::operator new(count * sizeof(float), kAlignment))) {
    std::fill_n(data_.get(), count, 0.0f);
  }

  float* data() const { return data_.get(); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(float* data) const { ::operator delete(data, kAlignment); }
  };

  std::unique_ptr<float, Free> data_;
};

}  // namespace lockstep::exec
