// SPDX-License-Identifier: Apache-2.0
// A 64-bit fingerprint of bytes: tells apart what differs by accident, not by design.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace lockstep::exec {

class Checksum {
 public:
  void add(std::uint64_t number) {
    state_ = std::rotl((state_ ^ number) * 0xFF51AFD7ED558CCDu, 29);
  }
  void add(const void* bytes, std::size_t size) {
    const auto* from = static_cast<const char*>(bytes);
    add(size);
    for (; size >= sizeof(std::uint64_t); size -= sizeof(std::uint64_t)) {
      std::uint64_t number = 0;
      std::memcpy(&number, from, sizeof number);
      add(number);
      from += sizeof number;
    }
    std::uint64_t rest = 0;
    if (size > 0) std::memcpy(&rest, from, size);
    add(rest);
  }
  void add(std::string_view text) { add(text.data(), text.size()); }

  std::uint64_t value() const { return state_ ^ state_ >> 32; }

 private:
  std::uint64_t state_ = 0x9E3779B97F4A7C15u;
};

}  // namespace lockstep::exec
