// SPDX-License-Identifier: Apache-2.0
// Numbers and texts as they travel: little endian, lengths in front, everything checked on the way
// back.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace lockstep::exec {

/// What arrived is not what its sender should have sent.
class WireError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <std::integral Integer>
void put(std::string& out, Integer value) {
  auto bits = static_cast<std::make_unsigned_t<Integer>>(value);
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    out.push_back(static_cast<char>(bits & 0xFF));
    bits = static_cast<decltype(bits)>(static_cast<std::uint64_t>(bits) >> 8);
  }
}
inline void put(std::string& out, double value) {
  put(out, std::bit_cast<std::uint64_t>(value));
}
inline void put(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint32_t>(text.size()));
  out.append(text);
}

/// Takes a number off the front of `in`. Throws WireError when `in` is too short.
template <std::integral Integer>
Integer take(std::string_view& in) {
  if (in.size() < sizeof(Integer)) throw WireError("a message is too short");
  std::uint64_t bits = 0;
  for (std::size_t i = sizeof(Integer); i-- > 0;)
    bits = bits << 8 | static_cast<unsigned char>(in[i]);
  in.remove_prefix(sizeof(Integer));
  return static_cast<Integer>(bits);
}
inline double take_double(std::string_view& in) {
  return std::bit_cast<double>(take<std::uint64_t>(in));
}
/// Throws WireError when the text is longer than `limit` or than what is there.
inline std::string take_text(std::string_view& in, std::size_t limit) {
  const std::size_t size = take<std::uint32_t>(in);
  if (size > limit || size > in.size()) throw WireError("a text is longer than it may be");
  std::string text(in.substr(0, size));
  in.remove_prefix(size);
  return text;
}
inline void take_end(std::string_view in) {
  if (!in.empty()) throw WireError("a message is too long");
}

}  // namespace lockstep::exec
