// SPDX-License-Identifier: Apache-2.0
// Decoding JPEG files: sizes and colours of good ones, and every kind of bad one.
#include "exec/data/jpeg.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>

#include "exec/data/resize.h"
#include "models/base/random.h"

using namespace lockstep;
using namespace lockstep::exec;

namespace {

using Bytes = std::vector<std::uint8_t>;

/// A smooth picture: JPEG keeps it well.
Picture waves(Size size, std::int32_t channels) {
  Picture picture;
  picture.reshape(size, channels);
  std::size_t place = 0;
  for (int y = 0; y < size.height; ++y)
    for (int x = 0; x < size.width; ++x)
      for (int c = 0; c < channels; ++c)
        picture.pixels[place++] = static_cast<std::uint8_t>(
            128 + 90 * std::sin(0.05 * (x + 2 * c)) * std::cos(0.07 * (y - 3 * c)));
  return picture;
}

/// Root mean square of what two pictures of one shape differ by, in steps of 255.
double difference(const Picture& a, const Picture& b) {
  REQUIRE(a.size == b.size);
  REQUIRE(a.channels == b.channels);
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i)
    sum += std::pow(a.pixels[i] - b.pixels[i], 2);
  return std::sqrt(sum / static_cast<double>(a.pixels.size()));
}

Picture decoded(const Bytes& file, Size wanted, std::int32_t channels) {
  Picture picture;
  const auto problem = JpegDecoder().decode(file, wanted, channels, picture);
  INFO(problem.value_or(""));
  REQUIRE_FALSE(problem);
  return picture;
}

std::string problem_of(const Bytes& file) {
  Picture picture;
  return JpegDecoder().decode(file, {32, 32}, 3, picture).value_or("none");
}

/// What encode_jpeg does not make: CMYK, or with Adobe's transform YCCK.
Bytes printers_jpeg(J_COLOR_SPACE space) {
  jpeg_compress_struct encoder{};
  jpeg_error_mgr errors{};
  encoder.err = jpeg_std_error(&errors);
  jpeg_create_compress(&encoder);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&encoder, &bytes, &size);
  encoder.image_width = encoder.image_height = 40;
  encoder.input_components = 4;
  encoder.in_color_space = JCS_CMYK;
  jpeg_set_defaults(&encoder);
  jpeg_set_colorspace(&encoder, space);
  jpeg_start_compress(&encoder, TRUE);
  Bytes row(160, 99);
  JSAMPROW rows[] = {row.data()};
  while (encoder.next_scanline < encoder.image_height)
    jpeg_write_scanlines(&encoder, rows, 1);
  jpeg_finish_compress(&encoder);
  jpeg_destroy_compress(&encoder);
  const Bytes file(bytes, bytes + size);
  std::free(bytes);
  return file;
}

/// Where the first marker of that kind stands.
std::size_t marker(const Bytes& file, std::uint8_t kind) {
  for (std::size_t i = 0; i + 1 < file.size(); ++i)
    if (file[i] == 0xFF && file[i + 1] == kind) return i;
  FAIL("no marker " << int{kind});
  return 0;
}

/// The file with an EXIF segment of these bytes behind its start.
Bytes with_exif(Bytes file, const std::string& content) {
  Bytes segment{0xFF, 0xE1, static_cast<std::uint8_t>((content.size() + 2) >> 8),
                static_cast<std::uint8_t>(content.size() + 2)};
  segment.insert(segment.end(), content.begin(), content.end());
  file.insert(file.begin() + 2, segment.begin(), segment.end());
  return file;
}

}  // namespace

TEST_CASE("jpeg: colours and greys come back, whatever the file has and one asks for", "[jpeg]") {
  const Picture colour = waves({61, 83}, 3), grey = waves({61, 83}, 1);
  for (const bool progressive : {false, true}) {
    const JpegOptions options{.quality = 95, .progressive = progressive, .halve_colours = false};
    CHECK(difference(decoded(encode_jpeg(colour, options), colour.size, 3), colour) < 2);
    CHECK(difference(decoded(encode_jpeg(grey, options), grey.size, 1), grey) < 2);
    // Grey asked for as colour: three times the same.
    const Picture threefold = decoded(encode_jpeg(grey, options), grey.size, 3);
    for (std::size_t i = 0; i < grey.pixels.size(); ++i)
      REQUIRE(threefold.pixels[3 * i] == threefold.pixels[3 * i + 2]);
    // Colour asked for as grey: its brightness, by ITU-R BT.601.
    Picture brightness = grey;
    for (std::size_t i = 0; i < brightness.pixels.size(); ++i)
      brightness.pixels[i] = static_cast<std::uint8_t>(
          std::lround(0.299 * colour.pixels[3 * i] + 0.587 * colour.pixels[3 * i + 1] +
                      0.114 * colour.pixels[3 * i + 2]));
    CHECK(difference(decoded(encode_jpeg(colour, options), colour.size, 1), brightness) < 2);
  }
}

TEST_CASE("jpeg: the size is the smallest of 1/8, 1/4, 1/2 and 1 that is enough", "[jpeg]") {
  const Bytes file = encode_jpeg(waves({350, 401}, 3), {});
  CHECK(decoded(file, {1, 1}, 3).size == Size{44, 51});  // 43.75, 50.125, rounded up
  CHECK(decoded(file, {43, 50}, 3).size == Size{44, 51});
  CHECK(decoded(file, {44, 50}, 3).size == Size{88, 101});  // 43.75 is below 44
  CHECK(decoded(file, {150, 150}, 3).size == Size{175, 201});
  CHECK(decoded(file, {175, 200}, 3).size == Size{175, 201});
  CHECK(decoded(file, {176, 150}, 3).size == Size{350, 401});
  CHECK(decoded(file, {1, 201}, 3).size == Size{350, 401});
  CHECK(decoded(file, {5000, 5000}, 3).size == Size{350, 401});  // never larger than it is
}

TEST_CASE("jpeg: scaled while decoding is what scaling afterwards gives", "[jpeg]") {
  for (const bool halve_colours : {false, true})
    for (const Size size : {Size{352, 352}, Size{351, 349}}) {
      const Bytes file = encode_jpeg(waves(size, 3), {.halve_colours = halve_colours});
      const Picture whole = decoded(file, size, 3);
      const Picture half = decoded(file, {150, 150}, 3);
      Picture scaled;
      scaled.reshape(half.size, 3);
      Resizer().resize(whole, {0, 0, whole.size}, scaled.size, false, scaled.pixels.data());
      CHECK(half.size.height == (size.height + 1) / 2);
      // Where a size is odd, the half has a pixel that is only half a pixel wide: all are shifted.
      CHECK(difference(half, scaled) < 3);
    }
}

TEST_CASE("jpeg: what is no whole JPEG file is refused, and says why", "[jpeg]") {
  const Bytes good = encode_jpeg(waves({100, 100}, 3), {});
  CHECK(problem_of(good) == "none");
  CHECK(problem_of({}) == "is empty");
  CHECK(problem_of({'G', 'I', 'F', '8', '9', 'a'}) == "is not a JPEG file");
  CHECK(problem_of({0xFF, 0xD8}) == "is not a JPEG file");
  CHECK_THAT(problem_of({0xFF, 0xD8, 0xFF}), Catch::StartsWith("is truncated or damaged: "));
  CHECK(problem_of(printers_jpeg(JCS_CMYK)) == "has the colours of a printer (CMYK)");
  CHECK(problem_of(printers_jpeg(JCS_YCCK)) == "has the colours of a printer (CMYK)");

  for (const bool progressive : {false, true}) {
    const Bytes whole = encode_jpeg(waves({100, 100}, 3), {.progressive = progressive});
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(progressive, size, whole.size());
      REQUIRE(problem_of(Bytes(whole.begin(), whole.begin() + static_cast<long>(size))) != "none");
    }
  }
}

TEST_CASE("jpeg: a header that claims too much costs neither memory nor time", "[jpeg]") {
  Bytes huge = encode_jpeg(waves({100, 100}, 3), {});
  const std::size_t frame = marker(huge, 0xC0);  // length, precision, height, width
  for (std::size_t i = 5; i <= 8; ++i)
    huge[frame + i] = 0xFF;
  // 65,535 is beyond JPEG_MAX_DIMENSION, 65,500.
  CHECK_THAT(problem_of(huge), Catch::StartsWith("is truncated or damaged: "));
  huge[frame + 5] = huge[frame + 7] = 0xF0;  // 61,695 by 61,695
  CHECK(problem_of(huge) == "says that it is 61695x61695, more than 67108864 pixels");
  huge[frame + 5] = huge[frame + 7] = 0x1F;  // 8,191 by 8,191 of which only a bit is there
  CHECK_THAT(problem_of(huge), Catch::StartsWith("is truncated or damaged: "));
}

TEST_CASE("jpeg: odd packaging is no damage", "[jpeg]") {
  const Picture picture = waves({50, 60}, 3);
  const Bytes file = encode_jpeg(picture, {});
  const Picture plain = decoded(file, {50, 60}, 3);
  // EXIF that is cut, empty, nonsense, or asks for a turn: none of it is looked at.
  const std::string turned(
      "Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0", 32);
  for (const std::string& exif : {std::string("Exif"), std::string(), std::string(900, '\xFF'),
                                  std::string("Exif\0\0MM\0*\xFF\xFF\xFF\xFF", 14), turned})
    CHECK(decoded(with_exif(file, exif), {50, 60}, 3).pixels == plain.pixels);
  // Bytes between two markers, where some cameras pad, and behind the end.
  Bytes padded = file;
  padded.insert(padded.begin() + static_cast<long>(marker(file, 0xDB)), 5, std::uint8_t{0});
  padded.insert(padded.end(), 1000, std::uint8_t{0x42});
  CHECK(decoded(padded, {50, 60}, 3).pixels == plain.pixels);
}

TEST_CASE("jpeg: a decoder is as good as new after a bad file", "[jpeg]") {
  const Bytes file = encode_jpeg(waves({90, 70}, 3), {});
  const Picture fresh = decoded(file, {40, 40}, 3);
  JpegDecoder decoder;
  Picture picture;
  for (const Bytes& bad :
       {Bytes{}, Bytes{0xFF, 0xD8, 0xFF, 0xE0}, printers_jpeg(JCS_YCCK),
        Bytes(file.begin(), file.begin() + 700), Bytes(file.begin(), file.end() - 2)}) {
    CHECK(decoder.decode(bad, {40, 40}, 3, picture));
    CHECK_FALSE(decoder.decode(file, {40, 40}, 3, picture));
    CHECK(picture.pixels == fresh.pixels);
  }
}

// What is fed to a decoder from outside must never do harm: run this under the sanitizers.
TEST_CASE("jpeg: random damage never does harm", "[jpeg]") {
  const std::uint64_t seed = 11;
  CAPTURE(seed);
  Random random(seed);
  JpegDecoder decoder;
  Picture picture;
  int refused = 0;
  constexpr int kRounds = 6000;
  for (int round = 0; round < kRounds; ++round) {
    const Size size{1 + static_cast<std::int32_t>(random.below(70)),
                    1 + static_cast<std::int32_t>(random.below(70))};
    Bytes file = encode_jpeg(waves(size, random.below(2) == 0 ? 1 : 3),
                             {.quality = 1 + static_cast<int>(random.below(100)),
                              .progressive = random.below(2) == 0,
                              .halve_colours = random.below(2) == 0});
    for (std::uint64_t i = 1 + random.below(8); i > 0; --i) {
      // Half of them within the headers, where damage leads furthest.
      const std::size_t place = random.below(random.below(2) == 0 ? 400 : file.size());
      file[std::min(place, file.size() - 1)] = static_cast<std::uint8_t>(random.next() >> 56);
    }
    if (random.below(4) == 0) file.resize(random.below(file.size()));
    const Size wanted{1 + static_cast<std::int32_t>(random.below(80)),
                      1 + static_cast<std::int32_t>(random.below(80))};
    refused += decoder.decode(file, wanted, random.below(2) == 0 ? 1 : 3, picture).has_value();
  }
  // Most damage shows; a changed coefficient alone does not.
  CHECK(refused > kRounds / 4);
  CHECK(refused < kRounds);
}
