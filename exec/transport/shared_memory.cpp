// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/shared_memory.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace lockstep::exec {

namespace {

[[noreturn]] void throw_system_error(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

SharedMemory::SharedMemory(int descriptor, std::size_t bytes, bool writable)
    : descriptor_(descriptor) {
  if (bytes == 0) return;
  void* start =
      ::mmap(nullptr, bytes, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, descriptor, 0);
  if (start == MAP_FAILED) {
    ::close(std::exchange(descriptor_, -1));
    throw_system_error("shared memory cannot be mapped");
  }
  bytes_ = {static_cast<std::byte*>(start), bytes};
}

SharedMemory::SharedMemory(std::size_t bytes) {
  const int descriptor = ::memfd_create("lockstep", MFD_CLOEXEC);
  if (descriptor < 0) throw_system_error("shared memory cannot be made");
  if (::ftruncate(descriptor, static_cast<off_t>(bytes)) != 0) {
    ::close(descriptor);
    throw_system_error("shared memory cannot be made so large");
  }
  *this = SharedMemory(descriptor, bytes, true);
}

SharedMemory SharedMemory::unshared(std::size_t bytes) {
  SharedMemory memory;
  if (bytes == 0) return memory;
  void* start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) throw_system_error("memory cannot be mapped");
  ::madvise(start, bytes, MADV_HUGEPAGE);  // or not, as the kernel sees fit
  memory.bytes_ = {static_cast<std::byte*>(start), bytes};
  return memory;
}

SharedMemory SharedMemory::adopt(int descriptor, bool writable) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) throw_system_error("shared memory has gone");
  return SharedMemory(descriptor, static_cast<std::size_t>(status.st_size), writable);
}

SharedMemory::~SharedMemory() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
  if (descriptor_ >= 0) ::close(descriptor_);
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), bytes_(std::exchange(other.bytes_, {})) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace lockstep::exec
