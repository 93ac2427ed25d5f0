// SPDX-License-Identifier: Apache-2.0
// Memory that processes of one host see alike.
#pragma once

#include <cstddef>
#include <span>

namespace lockstep::exec {

/// Zeroed in the beginning; gone when nobody has it open or mapped any more, however they ended.
class SharedMemory {
 public:
  SharedMemory() = default;
  /// New memory. Throws std::system_error.
  explicit SharedMemory(std::size_t bytes);
  /// Of this process alone, without a descriptor, on huge pages where the kernel grants them (to
  /// shared memory it usually doesn't): an all-reduce of 100 MB takes some 5 % less on them. Throws
  /// std::system_error.
  static SharedMemory unshared(std::size_t bytes);
  /// Another process's, which handed its descriptor over: takes that over. Throws
  /// std::system_error.
  static SharedMemory adopt(int descriptor, bool writable);
  ~SharedMemory();
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;

  std::span<std::byte> bytes() const { return bytes_; }
  int descriptor() const { return descriptor_; }

 private:
  SharedMemory(int descriptor, std::size_t bytes, bool writable);
  int descriptor_ = -1;
  std::span<std::byte> bytes_;
};

}  // namespace lockstep::exec
