// SPDX-License-Identifier: Apache-2.0
#include "exec/data/idx.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>

#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

constexpr std::uint32_t kImagesMagic = 0x00000803;  // unsigned bytes, three dimensions
constexpr std::uint32_t kLabelsMagic = 0x00000801;  // unsigned bytes, one dimension

std::string hexadecimal(std::uint32_t number) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%08x", number);
  return text.data();
}

/// One IDX file, read from front to end. zlib hands plain files through.
class IdxFile {
 public:
  explicit IdxFile(const std::string& path) : path_(path) {
    if (!std::filesystem::is_regular_file(path)) throw ConfigError(path, "there is no such file");
    file_.reset(gzopen(path.c_str(), "rb"));
    if (!file_) throw ConfigError(path, "cannot be opened for reading");
    gzbuffer(file_.get(), 1 << 18);
  }

  std::uint32_t read_number() {
    std::array<std::uint8_t, 4> bytes{};  // big-endian
    if (read(bytes.data(), bytes.size()) < bytes.size())
      throw ConfigError(path_, "is truncated: it ends within its header");
    return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
           std::uint32_t{bytes[2]} << 8 | std::uint32_t{bytes[3]};
  }

  void expect_magic(std::uint32_t magic, const char* kind) {
    const std::uint32_t found = read_number();
    if (found != magic)
      throw ConfigError(path_, std::string("is not an IDX file of ") + kind + ": must start with " +
                                   hexadecimal(magic) + ", starts with " + hexadecimal(found));
  }

  /// The rest of the file, which must be `size` bytes. Memory is taken as the bytes come, so that a
  /// damaged header cannot ask for all there is.
  std::vector<std::uint8_t> read_rest(std::uint64_t size) {
    constexpr std::uint64_t kPiece = 1 << 24;
    std::vector<std::uint8_t> bytes;
    while (bytes.size() < size) {
      const std::size_t before = bytes.size();
      const auto piece = static_cast<std::size_t>(std::min(kPiece, size - before));
      bytes.resize(before + piece);
      const std::size_t got = read(bytes.data() + before, piece);
      if (got < piece)
        throw ConfigError(path_, "is truncated: its header promises " + std::to_string(size) +
                                     " bytes of data, it has " + std::to_string(before + got));
    }
    std::uint8_t beyond = 0;  // reading on also checks gzip's checksum
    if (read(&beyond, 1) != 0)
      throw ConfigError(path_, "is longer than the " + std::to_string(size) +
                                   " bytes of data that its header promises");
    return bytes;
  }

 private:
  /// Up to `size` bytes; fewer at the end of the file. Throws when the file is damaged.
  std::size_t read(std::uint8_t* into, std::size_t size) {
    const int got = gzread(file_.get(), into, static_cast<unsigned>(size));
    int error = Z_OK;
    const std::string_view reason = gzerror(file_.get(), &error);
    // Z_BUF_ERROR: the compressed data ends too early.
    if (error == Z_BUF_ERROR)
      throw ConfigError(path_, "is truncated: its compressed data ends early");
    if (got < 0) throw ConfigError(path_, "is damaged: " + std::string(reason));
    return static_cast<std::size_t>(got);
  }

  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  std::string path_;
  std::unique_ptr<std::remove_pointer_t<gzFile>, Close> file_;
};

}  // namespace

IdxImages load_idx(const std::string& images_path, const std::string& labels_path) {
  IdxFile images(images_path);
  images.expect_magic(kImagesMagic, "images");
  const std::uint32_t count = images.read_number();
  const std::uint32_t height = images.read_number();
  const std::uint32_t width = images.read_number();
  constexpr std::uint32_t kLargestSide = 1 << 15;
  if (height == 0 || height > kLargestSide || width == 0 || width > kLargestSide)
    throw ConfigError(images_path, "images must be 1x1 to 32768x32768, are " +
                                       std::to_string(height) + "x" + std::to_string(width));
  if (count > std::uint32_t{INT32_MAX})
    throw ConfigError(images_path,
                      "must hold fewer than 2^31 images, says " + std::to_string(count));
  IdxFile labels(labels_path);
  labels.expect_magic(kLabelsMagic, "labels");
  const std::uint32_t label_count = labels.read_number();
  if (label_count != count)
    throw ConfigError(labels_path, "has " + std::to_string(label_count) + " labels, but \"" +
                                       images_path + "\" has " + std::to_string(count) + " images");
  IdxImages set;
  set.height = static_cast<std::int32_t>(height);
  set.width = static_cast<std::int32_t>(width);
  set.pixels = images.read_rest(std::uint64_t{count} * height * width);
  set.labels = labels.read_rest(count);
  return set;
}

namespace {

/// The file of that name, plain or gzipped.
std::optional<std::string> find_file(const std::string& folder, const std::string& name) {
  const std::filesystem::path plain = std::filesystem::path(folder) / name;
  for (const std::string& path : {plain.string(), plain.string() + ".gz"})
    if (std::filesystem::is_regular_file(path)) return path;
  return std::nullopt;
}

std::string expect_file(const std::string& folder, const std::string& name) {
  if (const std::optional<std::string> path = find_file(folder, name)) return *path;
  throw ConfigError(folder, "has neither " + name + " nor " + name + ".gz");
}

IdxImages load_part(const std::string& folder, const std::string& part) {
  return load_idx(expect_file(folder, part + "-images-idx3-ubyte"),
                  expect_file(folder, part + "-labels-idx1-ubyte"));
}

}  // namespace

bool is_idx_folder(const std::string& folder) {
  return find_file(folder, "train-images-idx3-ubyte").has_value();
}

IdxParts load_idx_folder(const std::string& folder) {
  return {load_part(folder, "train"), load_part(folder, "t10k")};
}

}  // namespace lockstep::exec
