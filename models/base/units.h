// SPDX-License-Identifier: Apache-2.0
// Quantities with their units: a point or span of simulated time, and the text forms that files
// use.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace lockstep {

/// A point in or a span of time, in integer picoseconds (int64: 106 days).
struct Time {
  std::int64_t picoseconds = 0;

  /// The smallest Time that is not shorter than `seconds`, up to half a picosecond of rounding.
  static Time from_seconds(double seconds);
  static constexpr Time max() { return Time{INT64_MAX}; }
  double seconds() const { return static_cast<double>(picoseconds) * 1e-12; }

  friend constexpr auto operator<=>(Time, Time) = default;
  friend constexpr Time operator+(Time a, Time b) { return {a.picoseconds + b.picoseconds}; }
  friend constexpr Time operator-(Time a, Time b) { return {a.picoseconds - b.picoseconds}; }
  friend constexpr Time operator*(std::int64_t n, Time t) { return {n * t.picoseconds}; }
  Time& operator+=(Time other) { return *this = *this + other; }
  Time& operator-=(Time other) { return *this = *this - other; }
};

/// Time to move `bytes` at `bytes_per_second`, rounded up once, from the whole count.
Time transfer_time(std::uint64_t bytes, double bytes_per_second);

/// "25 us", "1.5 ms", "2 s", "10 ns" → seconds. `where` goes in front of the error's text.
/// Throws ConfigError when the unit is missing or unknown, or the value is negative or not finite.
double parse_seconds(const std::string& text, const std::string& where);

/// "1 Gbit/s", "100 Mbit/s", "1.25 GB/s" → bytes per second; must be positive. Decimal prefixes
/// are powers of ten (GB is 10⁹ bytes, Gbit 10⁹ bits), binary ones (GiB) powers of two.
double parse_bandwidth(const std::string& text, const std::string& where);

/// "115 GFLOP/s" → FLOP/s; must be positive.
double parse_flops(const std::string& text, const std::string& where);

/// "4 MiB", "100 MB", "1448 B" → bytes. A plain whole number of bytes is also accepted, because
/// the flags that take sizes say "bytes" in their names.
std::uint64_t parse_bytes(const std::string& text, const std::string& where);

/// "118 us", "1.50 s": three significant digits, the unit that fits. For people.
std::string format_seconds(double seconds);
/// "4.72 MB", "18.8 kB": decimal prefixes. For people.
std::string format_bytes(double bytes);
/// "118 MB/s". For people.
std::string format_bandwidth(double bytes_per_second);
/// "1.00 Gbit/s", as networks are spoken of. For people.
std::string format_bitrate(double bytes_per_second);

}  // namespace lockstep
