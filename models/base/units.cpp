// SPDX-License-Identifier: Apache-2.0
#include "models/base/units.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

#include "models/base/errors.h"

namespace lockstep {

Time Time::from_seconds(double seconds) {
  return Time{static_cast<std::int64_t>(std::llround(seconds * 1e12))};
}

Time transfer_time(std::uint64_t bytes, double bytes_per_second) {
  // A hair below the ceiling, so that a whole number of picoseconds does not become one more
  // through the rounding of the division (relative error below 2⁻⁵²).
  const double picoseconds = static_cast<double>(bytes) / bytes_per_second * 1e12;
  return Time{static_cast<std::int64_t>(std::ceil(picoseconds * (1 - 0x1p-51)))};
}

namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array<Unit, 5> kTimeUnits{
    {{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"ps", 1e-12}}};
constexpr std::array<Unit, 8> kByteUnits{{{"B", 1},
                                          {"kB", 1e3},
                                          {"MB", 1e6},
                                          {"GB", 1e9},
                                          {"TB", 1e12},
                                          {"KiB", 0x1p10},
                                          {"MiB", 0x1p20},
                                          {"GiB", 0x1p30}}};
constexpr std::array<Unit, 12> kBandwidthUnits{{{"bit/s", 1.0 / 8},
                                                {"kbit/s", 1e3 / 8},
                                                {"Mbit/s", 1e6 / 8},
                                                {"Gbit/s", 1e9 / 8},
                                                {"Tbit/s", 1e12 / 8},
                                                {"B/s", 1},
                                                {"kB/s", 1e3},
                                                {"MB/s", 1e6},
                                                {"GB/s", 1e9},
                                                {"KiB/s", 0x1p10},
                                                {"MiB/s", 0x1p20},
                                                {"GiB/s", 0x1p30}}};

constexpr std::array<Unit, 5> kFlopsUnits{
    {{"FLOP/s", 1}, {"MFLOP/s", 1e6}, {"GFLOP/s", 1e9}, {"TFLOP/s", 1e12}, {"PFLOP/s", 1e15}}};

std::string expectation(std::span<const Unit> units, std::string_view example) {
  std::string text = "expected a number and a unit such as \"" + std::string(example) + "\" (";
  for (const Unit& unit : units) {
    if (&unit != units.data()) text += ", ";
    text += unit.name;
  }
  return text + ")";
}

/// The value in base units; `unitless` is the factor of a bare number, 0 when a unit is a must.
double parse_quantity(const std::string& text, const std::string& where,
                      std::span<const Unit> units, std::string_view example, double unitless) {
  const char* begin = text.c_str();
  char* end = nullptr;
  const double number = std::strtod(begin, &end);
  if (end == begin || !std::isfinite(number))
    throw ConfigError(where, expectation(units, example) + ", is \"" + text + "\"");
  std::string_view rest(end);
  while (!rest.empty() && rest.front() == ' ')
    rest.remove_prefix(1);
  while (!rest.empty() && rest.back() == ' ')
    rest.remove_suffix(1);
  if (rest.empty() && unitless > 0) return number * unitless;
  for (const Unit& unit : units)
    if (unit.name == rest) {
      // 10⁻⁶ has no exact form, 10⁶ has: so 25 us is the same number as 25e-6.
      return unit.factor < 1 ? number / std::round(1 / unit.factor) : number * unit.factor;
    }
  throw ConfigError(where, (rest.empty() ? "the unit is missing, " : "unknown unit, ") +
                               expectation(units, example) + ", is \"" + text + "\"");
}

/// Three digits in the largest unit that is not larger than the value, in the smallest one if there
/// is none. Rounded first: 999.6 us is 1.00 ms.
std::string format_scaled(double exact, std::span<const Unit> units) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.2e", exact);
  const double value = std::strtod(buffer, nullptr);
  const auto amount = [&](const Unit& unit) {
    return std::abs(value) / unit.factor * (1 + 0x1p-50);  // 1e-6 in us is not quite 1
  };
  const Unit* best = nullptr;
  for (const Unit& unit : units) {
    if (value == 0 && unit.factor == 1) return "0 " + std::string(unit.name);
    const bool fits = amount(unit) >= 1;
    const bool best_fits = best && amount(*best) >= 1;
    if (!best || (fits && (!best_fits || unit.factor > best->factor)) ||
        (!fits && !best_fits && unit.factor < best->factor))
      best = &unit;
  }
  const int decimals = amount(*best) >= 100 ? 0 : amount(*best) >= 10 ? 1 : 2;
  std::snprintf(buffer, sizeof buffer, "%.*f %.*s", decimals, value / best->factor,
                static_cast<int>(best->name.size()), best->name.data());
  return buffer;
}

}  // namespace

double parse_seconds(const std::string& text, const std::string& where) {
  const double value = parse_quantity(text, where, kTimeUnits, "25 us", 0);
  if (value < 0) throw ConfigError(where, "must not be negative, is \"" + text + "\"");
  if (value > 9e6) throw ConfigError(where, "must be below 9e6 s, is \"" + text + "\"");
  return value;
}

double parse_bandwidth(const std::string& text, const std::string& where) {
  const double value = parse_quantity(text, where, kBandwidthUnits, "10 Gbit/s", 0);
  if (!(value > 0)) throw ConfigError(where, "must be positive, is \"" + text + "\"");
  if (value > 1e18) throw ConfigError(where, "must be below 1e18 B/s, is \"" + text + "\"");
  return value;
}

double parse_flops(const std::string& text, const std::string& where) {
  const double value = parse_quantity(text, where, kFlopsUnits, "100 GFLOP/s", 0);
  if (!(value > 0)) throw ConfigError(where, "must be positive, is \"" + text + "\"");
  return value;
}

std::uint64_t parse_bytes(const std::string& text, const std::string& where) {
  const double value = parse_quantity(text, where, kByteUnits, "4 MiB", 1);
  if (value < 0) throw ConfigError(where, "must not be negative, is \"" + text + "\"");
  if (value > 0x1p53) throw ConfigError(where, "must be below 2^53 B, is \"" + text + "\"");
  // Within rounding: 1.001 · 1000 is not quite 1001.
  const double whole = std::round(value);
  if (std::abs(value - whole) > whole * 0x1p-52)
    throw ConfigError(where, "must be a whole number of bytes, is \"" + text + "\"");
  return static_cast<std::uint64_t>(whole);
}

std::string format_seconds(double seconds) {
  return format_scaled(seconds, kTimeUnits);
}

std::string format_bytes(double bytes) {
  return format_scaled(bytes, std::span(kByteUnits).first(5));
}

std::string format_bandwidth(double bytes_per_second) {
  return format_scaled(bytes_per_second, std::span(kBandwidthUnits).subspan(5, 4));
}

std::string format_bitrate(double bytes_per_second) {
  return format_scaled(bytes_per_second, std::span(kBandwidthUnits).first(5));
}

}  // namespace lockstep
