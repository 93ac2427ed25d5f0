// SPDX-License-Identifier: Apache-2.0
#include "exec/data/jpeg_images.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "exec/data/checksum.h"
#include "exec/data/framing.h"
#include "exec/data/parallel.h"
#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

/// Reads the whole file. Returns nothing, or what went wrong.
std::optional<std::string> read_file(const std::string& path, std::vector<std::uint8_t>& into) {
  constexpr std::int64_t kMostBytes = std::int64_t{1} << 28;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return "cannot be opened: " + std::string(std::strerror(errno));
  std::optional<std::string> problem;
  struct stat status {};
  if (::fstat(file, &status) != 0 || status.st_size > kMostBytes) {
    problem = "is larger than " + std::to_string(kMostBytes) + " bytes";
  } else {
    into.resize(static_cast<std::size_t>(status.st_size));
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t got = ::read(file, into.data() + done, into.size() - done);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) problem = "cannot be read: " + std::string(std::strerror(errno));
      if (got <= 0) break;
      done += static_cast<std::size_t>(got);
    }
    into.resize(done);
  }
  ::close(file);
  return problem;
}

}  // namespace

std::optional<std::string> PicturePreparer::prepare(const std::string& path, Picture& into) {
  if (std::optional<std::string> problem = read_file(path, file_)) return problem;
  return prepare(std::span<const std::uint8_t>(file_), into);
}

std::optional<std::string> PicturePreparer::prepare(std::span<const std::uint8_t> file,
                                                    Picture& into) {
  const Size wanted = format_.augment ? with_margin(format_.size) : format_.size;
  if (auto problem = decoder_.decode(file, wanted, format_.channels, decoded_)) return problem;
  Box box = centre_box(decoded_.size, wanted);
  Size size = wanted;
  if (format_.augment) {
    // The whole picture, but of a panorama only as much as is twice as long as the format.
    const Size whole = cover(decoded_.size, wanted);
    size = {std::min(whole.height, 2 * wanted.height), std::min(whole.width, 2 * wanted.width)};
    box = size == whole ? Box{0, 0, decoded_.size} : centre_box(decoded_.size, size);
  }
  into.reshape(size, format_.channels);
  resizer_.resize(decoded_, box, size, false, into.pixels.data());
  return std::nullopt;
}

class JpegImages::Reader final : public ImageReader {
 public:
  explicit Reader(const JpegImages& images) : images_(images), preparer_(images.format_) {}

  bool read(std::int32_t image, std::int32_t epoch, std::uint8_t* pixels) override {
    if (!prepared(image)) return false;
    show(picture_, images_.format_, image, epoch, resizer_, pixels);
    return true;
  }

 private:
  bool prepared(std::int32_t image) {
    if (images_.cache_ && images_.cache_->get(image, picture_)) return true;
    if (images_.is_known_fault(image)) return false;
    const auto problem =
        preparer_.prepare(images_.files_.path(static_cast<std::size_t>(image)), picture_);
    if (problem) images_.note_fault(image, *problem);
    return !problem;
  }

  const JpegImages& images_;
  PicturePreparer preparer_;
  Picture picture_;
  Resizer resizer_;
};

JpegImages::JpegImages(ImageFiles files, ImageFormat format, bool strict)
    : files_(std::move(files)), format_(format), strict_(strict) {}

std::unique_ptr<ImageReader> JpegImages::reader() const {
  return std::make_unique<Reader>(*this);
}

std::vector<Fault> JpegImages::faults() const {
  const std::lock_guard lock(mutex_);
  std::vector<Fault> list;
  for (const auto& [image, reason] : faults_)
    list.push_back({files_.files[static_cast<std::size_t>(image)].name, reason});
  return list;
}

void JpegImages::note_fault(std::int32_t image, const std::string& reason) const {
  if (strict_) throw ConfigError(files_.path(static_cast<std::size_t>(image)), reason);
  const std::lock_guard lock(mutex_);
  faults_.emplace(image, reason);
}

bool JpegImages::is_known_fault(std::int32_t image) const {
  const std::lock_guard lock(mutex_);
  return faults_.contains(image);
}

std::unique_ptr<PictureCache> JpegImages::prepare_all(std::uint64_t most_bytes, std::size_t threads,
                                                      PictureCacheBuilder& builder) const {
  // Block by block, so that pictures come in order and few wait for others.
  constexpr std::size_t kBlock = 512;
  std::vector<Picture> block(kBlock);
  std::uint64_t bytes = 0;
  for (std::size_t first = 0; first < files_.files.size(); first += kBlock) {
    const std::size_t count = std::min(kBlock, files_.files.size() - first);
    parallel(
        bytes < most_bytes ? count : 0, threads,
        [this] { return std::make_unique<PicturePreparer>(format_); },
        [&](std::unique_ptr<PicturePreparer>& preparer, std::size_t i) {
          const auto problem = preparer->prepare(files_.path(first + i), block[i]);
          if (!problem) return;
          note_fault(static_cast<std::int32_t>(first + i), *problem);
          block[i] = {};
        });
    for (std::size_t i = 0; i < count; ++i) {
      const bool fits = bytes + block[i].pixels.size() <= most_bytes;
      bytes = fits ? bytes + block[i].pixels.size() : most_bytes;
      builder.add(fits ? block[i] : Picture{});
    }
  }
  return builder.finish();
}

void JpegImages::keep_in_memory(std::uint64_t most_bytes, std::size_t threads) {
  cache_ = prepare_all(most_bytes, threads, *build_in_memory());
}

void JpegImages::keep_in_file(const std::string& path, std::uint64_t most_bytes,
                              std::size_t threads) {
  const std::uint64_t key = cache_key(most_bytes);
  cache_ = open_cache_file(path, key, count());
  if (!cache_) cache_ = prepare_all(most_bytes, threads, *build_in_file(path, key));
}

/// Whatever the prepared pictures follow from: the files, the format, and how this program
/// prepares.
std::uint64_t JpegImages::cache_key(std::uint64_t most_bytes) const {
  constexpr std::uint64_t kVersion = 1;  // to be raised whenever preparing changes
  Checksum key;
  for (const std::uint64_t number :
       {kVersion, most_bytes, static_cast<std::uint64_t>(format_.size.height),
        static_cast<std::uint64_t>(format_.size.width),
        static_cast<std::uint64_t>(format_.channels), std::uint64_t{format_.augment}})
    key.add(number);
  for (std::size_t file = 0; file < files_.files.size(); ++file) {
    key.add(files_.files[file].name);
    struct stat status {};  // stays empty for a file that is gone
    ::stat(files_.path(file).c_str(), &status);
    key.add(static_cast<std::uint64_t>(status.st_size));
    key.add(static_cast<std::uint64_t>(status.st_mtim.tv_sec));
    key.add(static_cast<std::uint64_t>(status.st_mtim.tv_nsec));
  }
  return key.value();
}

}  // namespace lockstep::exec
