// SPDX-License-Identifier: Apache-2.0
#include "exec/data/jpeg.h"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>

#include <jerror.h>
#include <jpeglib.h>

#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

/// What a decoder may take beside the picture: the coefficients of a progressive file are all kept.
constexpr long kMostMemory = 512L << 20;
/// A progressive file may ask for its whole area to be gone over again with every few bytes.
constexpr int kMostScans = 200;

/// libjpeg's error handler with the way out of it. Nothing with a destructor may live between
/// setjmp and a call into libjpeg.
struct Errors {
  jpeg_error_mgr base{};
  std::jmp_buf out{};
  std::array<char, JMSG_LENGTH_MAX> text{};
};

[[noreturn]] void leave(jpeg_common_struct* codec) {
  auto* errors = reinterpret_cast<Errors*>(codec->err);
  codec->err->format_message(codec, errors->text.data());
  std::longjmp(errors->out, 1);
}

/// Warnings are about damaged data, and end the decoding, but for those about the packaging.
void judge_message(jpeg_common_struct* codec, int level) {
  if (level >= 0) return;  // a trace message
  switch (codec->err->msg_code) {
    case JWRN_ADOBE_XFORM:
    case JWRN_EXTRANEOUS_DATA:  // between two markers, where some cameras pad
    case JWRN_JFIF_MAJOR:
      return;
    default:
      leave(codec);
  }
}

void print_nothing(jpeg_common_struct*) {}

void count_scans(jpeg_common_struct* codec) {
  const auto* decoder = reinterpret_cast<const jpeg_decompress_struct*>(codec);
  if (decoder->input_scan_number <= kMostScans) return;
  codec->err->msg_code = JERR_BAD_PROGRESSION;
  leave(codec);
}

}  // namespace

struct JpegDecoder::State {
  jpeg_decompress_struct decoder{};
  Errors errors;
  jpeg_progress_mgr progress{};

  bool read_header(std::span<const std::uint8_t> file);
  bool decode(std::uint8_t* into);
};

JpegDecoder::JpegDecoder() : state_(std::make_unique<State>()) {
  jpeg_decompress_struct& decoder = state_->decoder;
  decoder.err = jpeg_std_error(&state_->errors.base);
  decoder.err->error_exit = leave;
  decoder.err->emit_message = judge_message;
  decoder.err->output_message = print_nothing;
  const bool made = setjmp(state_->errors.out) == 0;
  LOCKSTEP_CHECK(made, state_->errors.text.data());
  jpeg_create_decompress(&decoder);
  decoder.mem->max_memory_to_use = kMostMemory;
  state_->progress.progress_monitor = count_scans;
  decoder.progress = &state_->progress;
}

JpegDecoder::~JpegDecoder() {
  jpeg_destroy_decompress(&state_->decoder);
}

/// False when it failed; then errors.text says why.
bool JpegDecoder::State::read_header(std::span<const std::uint8_t> file) {
  if (setjmp(errors.out) != 0) return false;
  jpeg_abort_decompress(&decoder);  // whatever the last file has left behind
  jpeg_mem_src(&decoder, file.data(), file.size());
  jpeg_read_header(&decoder, TRUE);
  return true;
}

/// Likewise. `into` has room for the output's size.
bool JpegDecoder::State::decode(std::uint8_t* into) {
  if (setjmp(errors.out) != 0) return false;
  jpeg_start_decompress(&decoder);
  const std::size_t stride =
      std::size_t{decoder.output_width} * static_cast<std::size_t>(decoder.output_components);
  constexpr JDIMENSION kRows = 8;
  while (decoder.output_scanline < decoder.output_height) {
    JSAMPROW rows[kRows];
    const JDIMENSION count = std::min(kRows, decoder.output_height - decoder.output_scanline);
    for (JDIMENSION r = 0; r < count; ++r)
      rows[r] = into + (decoder.output_scanline + r) * stride;
    jpeg_read_scanlines(&decoder, rows, count);
  }
  jpeg_finish_decompress(&decoder);
  return true;
}

std::optional<std::string> JpegDecoder::decode(std::span<const std::uint8_t> file, Size wanted,
                                               std::int32_t channels, Picture& into) {
  if (file.empty()) return "is empty";
  if (file.size() < 3 || file[0] != 0xFF || file[1] != 0xD8 || file[2] != 0xFF)
    return "is not a JPEG file";
  const auto failure = [this] {
    return "is truncated or damaged: " + std::string(state_->errors.text.data());
  };
  if (!state_->read_header(file)) return failure();
  jpeg_decompress_struct& decoder = state_->decoder;
  if (decoder.jpeg_color_space == JCS_CMYK || decoder.jpeg_color_space == JCS_YCCK)
    return "has the colours of a printer (CMYK)";
  if (std::uint64_t{decoder.image_width} * decoder.image_height > kMostPixels)
    return "says that it is " + std::to_string(decoder.image_width) + "x" +
           std::to_string(decoder.image_height) + ", more than " + std::to_string(kMostPixels) +
           " pixels";
  decoder.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  decoder.scale_denom = 8;
  const auto height = static_cast<std::uint64_t>(wanted.height);
  const auto width = static_cast<std::uint64_t>(wanted.width);
  for (decoder.scale_num = 1; decoder.scale_num < 8; decoder.scale_num *= 2)
    if (std::uint64_t{decoder.image_height} * decoder.scale_num >= 8 * height &&
        std::uint64_t{decoder.image_width} * decoder.scale_num >= 8 * width)
      break;
  // As libjpeg rounds.
  const auto scaled = [&](JDIMENSION size) {
    return static_cast<std::int32_t>((std::uint64_t{size} * decoder.scale_num + 7) / 8);
  };
  into.reshape({scaled(decoder.image_height), scaled(decoder.image_width)}, channels);
  if (!state_->decode(into.pixels.data())) return failure();
  return std::nullopt;
}

namespace {

[[noreturn]] void cannot_fail(jpeg_common_struct* codec) {
  std::array<char, JMSG_LENGTH_MAX> text{};
  codec->err->format_message(codec, text.data());
  check_failed("a picture is encoded", text.data(), __FILE__, __LINE__);
}

}  // namespace

std::vector<std::uint8_t> encode_jpeg(const Picture& picture, const JpegOptions& options) {
  jpeg_compress_struct encoder{};
  jpeg_error_mgr errors{};
  encoder.err = jpeg_std_error(&errors);
  encoder.err->error_exit = cannot_fail;
  jpeg_create_compress(&encoder);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&encoder, &bytes, &size);
  encoder.image_width = static_cast<JDIMENSION>(picture.size.width);
  encoder.image_height = static_cast<JDIMENSION>(picture.size.height);
  encoder.input_components = picture.channels;
  encoder.in_color_space = picture.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&encoder);
  jpeg_set_quality(&encoder, options.quality, TRUE);
  if (picture.channels == 3 && !options.halve_colours)
    encoder.comp_info[0].h_samp_factor = encoder.comp_info[0].v_samp_factor = 1;
  if (options.progressive) jpeg_simple_progression(&encoder);
  jpeg_start_compress(&encoder, TRUE);
  const std::size_t stride =
      static_cast<std::size_t>(picture.size.width) * static_cast<std::size_t>(picture.channels);
  while (encoder.next_scanline < encoder.image_height) {
    // libjpeg takes rows as writable, but does not write.
    JSAMPROW row = const_cast<JSAMPROW>(picture.pixels.data() + encoder.next_scanline * stride);
    jpeg_write_scanlines(&encoder, &row, 1);
  }
  jpeg_finish_compress(&encoder);
  jpeg_destroy_compress(&encoder);
  std::vector<std::uint8_t> file(bytes, bytes + size);
  std::free(bytes);
  return file;
}

}  // namespace lockstep::exec
