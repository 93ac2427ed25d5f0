// SPDX-License-Identifier: Apache-2.0
#include "models/base/units.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>

#include "models/base/errors.h"
#include "models/base/random.h"

namespace lockstep {
namespace {

__extension__ using Wide = unsigned __int128;

std::string error_of(double (*parse)(const std::string&, const std::string&),
                     const std::string& text) {
  try {
    parse(text, "t.json: /x");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

double parse_bytes_as_double(const std::string& text, const std::string& where) {
  return static_cast<double>(parse_bytes(text, where));
}

}  // namespace

TEST_CASE("units: a time is a whole number of picoseconds", "[units]") {
  CHECK(Time::from_seconds(0).picoseconds == 0);
  CHECK(Time::from_seconds(1).picoseconds == 1'000'000'000'000);
  CHECK(Time::from_seconds(25e-6).picoseconds == 25'000'000);
  CHECK(Time::from_seconds(-1e-12).picoseconds == -1);
  CHECK(Time::from_seconds(1.6e-12).picoseconds == 2);
  CHECK(Time{1'500'000'000'000}.seconds() == 1.5);
  CHECK(Time{3} + Time{4} == Time{7});
  CHECK(Time{3} - Time{4} == Time{-1});
  CHECK(5 * Time{3} == Time{15});
  CHECK(Time{3} < Time{4});
  CHECK(Time{4} < Time::max());
  Time time{3};
  time += Time{2};
  time -= Time{4};
  CHECK(time == Time{1});
}

TEST_CASE("units: a transfer's time is rounded up once, and not beyond what is exact", "[units]") {
  CHECK(transfer_time(0, 125e6).picoseconds == 0);
  CHECK(transfer_time(1, 125e6).picoseconds == 8000);  // 1 s / 125,000,000
  CHECK(transfer_time(1, 12.5e9).picoseconds == 80);   // 100 Gbit/s
  CHECK(transfer_time(1, 3e12).picoseconds == 1);      // 1/3 ps, up
  CHECK(transfer_time(10, 3e9).picoseconds == 3334);   // 3333 1/3
  CHECK(transfer_time(4'800'000, 125e6).picoseconds == 38'400'000'000);
  constexpr std::uint64_t kSeed = 5;
  Random random(kSeed);
  for (int trial = 0; trial < 100'000; ++trial) {
    const std::uint64_t bytes = random.below(1 << 30);
    const std::uint64_t rate = 1'000'000 + random.below(20'000'000'000);
    INFO("seed " << kSeed << ", " << bytes << " bytes at " << rate << " B/s");
    const auto dividend = Wide{bytes} * 1'000'000'000'000u;
    const auto exact = static_cast<std::int64_t>((dividend + rate - 1) / rate);
    const std::int64_t time = transfer_time(bytes, static_cast<double>(rate)).picoseconds;
    // Never more; less by the last picosecond only where the remainder is below the precision.
    REQUIRE(time <= exact);
    REQUIRE(time >= exact - 1);
    if (dividend % rate == 0) REQUIRE(time == exact);
  }
}

TEST_CASE("units: whole picoseconds stay what they are", "[units]") {
  constexpr std::uint64_t kSeed = 6;
  Random random(kSeed);
  for (int trial = 0; trial < 100'000; ++trial) {
    // Rates that divide 10¹² B/s: a byte takes a whole number of picoseconds.
    const std::uint64_t byte_picoseconds = std::uint64_t{1} << random.below(12);
    const std::uint64_t factor = byte_picoseconds * (random.below(2) == 0 ? 1 : 125);
    const std::uint64_t bytes = random.below(100'000'000);
    INFO("seed " << kSeed << ", " << bytes << " bytes of " << factor << " ps");
    REQUIRE(transfer_time(bytes, 1e12 / static_cast<double>(factor)).picoseconds ==
            static_cast<std::int64_t>(bytes * factor));
  }
}

TEST_CASE("units: durations need a unit", "[units]") {
  CHECK(parse_seconds("25 us", "") == 25e-6);
  CHECK(parse_seconds("1.5 ms", "") == 1.5e-3);
  CHECK(parse_seconds("2 s", "") == 2);
  CHECK(parse_seconds("10ns", "") == 10e-9);
  CHECK(parse_seconds("80 ps ", "") == 80e-12);
  CHECK(parse_seconds("0 s", "") == 0);
  CHECK(parse_seconds("1e3 us", "") == 1e-3);
  const std::string expected =
      "expected a number and a unit such as \"25 us\" (s, ms, us, ns, ps), is \"";
  CHECK(error_of(parse_seconds, "25") == "t.json: /x: the unit is missing, " + expected + "25\"");
  CHECK(error_of(parse_seconds, "25 m") == "t.json: /x: unknown unit, " + expected + "25 m\"");
  CHECK(error_of(parse_seconds, "2 s s") == "t.json: /x: unknown unit, " + expected + "2 s s\"");
  for (const std::string wrong : {"", "us", "nan s", "inf s", "1e999 s", "-", ". s"})
    CHECK(error_of(parse_seconds, wrong) == "t.json: /x: " + expected + wrong + "\"");
  CHECK(error_of(parse_seconds, "-1 us") == "t.json: /x: must not be negative, is \"-1 us\"");
  CHECK(error_of(parse_seconds, "1e7 s") == "t.json: /x: must be below 9e6 s, is \"1e7 s\"");
}

TEST_CASE("units: bandwidths in bits and bytes", "[units]") {
  CHECK(parse_bandwidth("1 Gbit/s", "") == 125e6);
  CHECK(parse_bandwidth("100 Mbit/s", "") == 12.5e6);
  CHECK(parse_bandwidth("8 bit/s", "") == 1);
  CHECK(parse_bandwidth("8 kbit/s", "") == 1000);
  CHECK(parse_bandwidth("1 Tbit/s", "") == 125e9);
  CHECK(parse_bandwidth("1.25 GB/s", "") == 1.25e9);
  CHECK(parse_bandwidth("2 GiB/s", "") == 2147483648.0);  // 2 · 2³⁰
  CHECK(parse_bandwidth("3 KiB/s", "") == 3072);
  CHECK(error_of(parse_bandwidth, "1 GB").find("t.json: /x: unknown unit, ") == 0);
  CHECK(error_of(parse_bandwidth, "1 gbit/s").find("t.json: /x: unknown unit, ") == 0);
  CHECK(error_of(parse_bandwidth, "1").find("t.json: /x: the unit is missing, ") == 0);
  CHECK(error_of(parse_bandwidth, "0 B/s") == "t.json: /x: must be positive, is \"0 B/s\"");
  CHECK(error_of(parse_bandwidth, "-1 Gbit/s") == "t.json: /x: must be positive, is \"-1 Gbit/s\"");
}

TEST_CASE("units: sizes are whole numbers of bytes, with or without a unit", "[units]") {
  CHECK(parse_bytes("1448 B", "") == 1448);
  CHECK(parse_bytes("1448", "") == 1448);
  CHECK(parse_bytes("0", "") == 0);
  CHECK(parse_bytes("4 MiB", "") == 4194304);  // 4 · 2²⁰
  CHECK(parse_bytes("100 MB", "") == 100'000'000);
  CHECK(parse_bytes("0.5 KiB", "") == 512);
  CHECK(parse_bytes("9007199254740991", "") == 9007199254740991);  // 2⁵³ − 1
  CHECK(error_of(parse_bytes_as_double, "1.5") ==
        "t.json: /x: must be a whole number of bytes, is \"1.5\"");
  CHECK(error_of(parse_bytes_as_double, "1.0005 kB") ==
        "t.json: /x: must be a whole number of bytes, is \"1.0005 kB\"");
  CHECK(error_of(parse_bytes_as_double, "-1 B") == "t.json: /x: must not be negative, is \"-1 B\"");
  CHECK(error_of(parse_bytes_as_double, "1e17") == "t.json: /x: must be below 2^53 B, is \"1e17\"");
  CHECK(error_of(parse_bytes_as_double, "4 MIB").find("t.json: /x: unknown unit, ") == 0);
}

TEST_CASE("units: decimals that make whole bytes are whole, though binary fractions are not",
          "[units]") {
  // 1.001 · 1000 is 1000.9999999999999 in double precision.
  for (std::uint64_t bytes = 1; bytes < 20'000; ++bytes) {
    char text[32];
    std::snprintf(text, sizeof text, "%d.%03d kB", static_cast<int>(bytes / 1000),
                  static_cast<int>(bytes % 1000));
    INFO(text);
    REQUIRE(parse_bytes(text, "") == bytes);
  }
  CHECK(parse_bytes("1.000001 MB", "") == 1'000'001);
  CHECK(parse_bytes("4.35 GB", "") == 4'350'000'000);
}

TEST_CASE("units: people get three digits and the unit that fits", "[units]") {
  CHECK(format_seconds(118e-6) == "118 us");
  CHECK(format_seconds(1.5) == "1.50 s");
  CHECK(format_seconds(0.0123) == "12.3 ms");
  CHECK(format_seconds(3661) == "3660 s");
  CHECK(format_seconds(4e-13) == "0.40 ps");
  CHECK(format_seconds(-0.002) == "-2.00 ms");
  CHECK(format_bytes(4.72e6) == "4.72 MB");
  CHECK(format_bytes(18'800) == "18.8 kB");
  CHECK(format_bytes(512) == "512 B");
  CHECK(format_bytes(3e15) == "3000 TB");
  CHECK(format_bandwidth(118e6) == "118 MB/s");
  CHECK(format_bandwidth(125e9) == "125 GB/s");
}

TEST_CASE("units: rounding up to the next unit or digit keeps three digits", "[units]") {
  CHECK(format_seconds(9.996) == "10.0 s");
  CHECK(format_seconds(99.96) == "100 s");
  CHECK(format_seconds(999.6e-6) == "1.00 ms");
  CHECK(format_seconds(999.4e-6) == "999 us");
  CHECK(format_bytes(999'999) == "1.00 MB");
  CHECK(format_seconds(1e-3) == "1.00 ms");
  CHECK(format_seconds(1e-6) == "1.00 us");
}

TEST_CASE("units: nothing is nothing in the plain unit", "[units]") {
  CHECK(format_seconds(0) == "0 s");
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bandwidth(0) == "0 B/s");
}

TEST_CASE(
    "units: every time formats in at most three digits and reads back within half of the last",
    "[units]") {
  constexpr std::uint64_t kSeed = 8;
  Random random(kSeed);
  for (int trial = 0; trial < 20'000; ++trial) {
    const double seconds = std::pow(10.0, -12 + 14.9 * random.uniform());
    const std::string text = format_seconds(seconds);
    INFO("seed " << kSeed << ", " << seconds << ", " << text);
    int digits = 0;
    for (const char c : text)
      digits += c >= '0' && c <= '9' ? 1 : 0;
    REQUIRE(digits == 3);
    REQUIRE(parse_seconds(text, "") == Approx(seconds).epsilon(0.00501));
  }
}

}  // namespace lockstep
