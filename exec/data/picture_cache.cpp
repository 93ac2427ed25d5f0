// SPDX-License-Identifier: Apache-2.0
#include "exec/data/picture_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "exec/data/checksum.h"
#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

class InMemory final : public PictureCache {
 public:
  explicit InMemory(std::vector<Picture> pictures) : pictures_(std::move(pictures)) {}
  bool get(std::int32_t image, Picture& into) const override {
    into = pictures_[static_cast<std::size_t>(image)];
    return !into.pixels.empty();
  }

 private:
  std::vector<Picture> pictures_;
};

class MemoryBuilder final : public PictureCacheBuilder {
 public:
  void add(const Picture& picture) override { pictures_.push_back(picture); }
  std::unique_ptr<PictureCache> finish() override {
    return std::make_unique<InMemory>(std::move(pictures_));
  }

 private:
  std::vector<Picture> pictures_;
};

constexpr std::int32_t kMostPixels = 1 << 17;  // along one side

/// Where in the file a picture is; all zeros if it is not kept.
struct Place {
  std::uint64_t first = 0;
  std::int32_t height = 0;
  std::int32_t width = 0;
  std::int32_t channels = 0;
  std::int32_t unused = 0;  // no byte of the file is left to chance

  std::uint64_t bytes() const {
    return Size{height, width}.pixels() * static_cast<std::uint64_t>(channels);
  }
};

/// The end of the file. Numbers are in this machine's byte order: on another one the magic number
/// is wrong, and the file is made anew.
struct Footer {
  std::uint64_t magic = 0x3120'6568'6361'636bU;
  std::uint64_t key = 0;
  std::uint64_t images = 0;
  std::uint64_t checksum = 0;  // of the pixels of all pictures, then of the places
};

/// A file descriptor that closes itself.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() { close(); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }
  bool close() {
    const int descriptor = std::exchange(descriptor_, -1);
    return descriptor < 0 || ::close(descriptor) == 0;
  }

 private:
  int descriptor_ = -1;
};

/// False if the file does not have them.
bool read_at(const File& file, void* into, std::size_t bytes, std::uint64_t offset) {
  auto* to = static_cast<char*>(into);
  while (bytes > 0) {
    const ssize_t got = ::pread(file.get(), to, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

class InFile final : public PictureCache {
 public:
  InFile(int descriptor, std::vector<Place> places)
      : file_(descriptor), places_(std::move(places)) {}

  bool get(std::int32_t image, Picture& into) const override {
    const Place& place = places_[static_cast<std::size_t>(image)];
    if (place.height == 0) return false;
    into.reshape({place.height, place.width}, place.channels);
    return read_at(file_, into.pixels.data(), into.pixels.size(), place.first);
  }

 private:
  File file_;
  std::vector<Place> places_;
};

class FileBuilder final : public PictureCacheBuilder {
 public:
  FileBuilder(const std::string& path, std::uint64_t key)
      : path_(path),
        beside_(path + "." + std::to_string(::getpid())),
        file_(::open(beside_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
    footer_.key = key;
    if (file_.get() < 0) fail();
  }

  ~FileBuilder() override {
    if (!finished_) ::unlink(beside_.c_str());
  }

  void add(const Picture& picture) override {
    places_.push_back({written_, picture.size.height, picture.size.width, picture.channels});
    if (picture.pixels.empty()) places_.back() = {};
    checksum_.add(picture.pixels.data(), picture.pixels.size());
    write(picture.pixels.data(), picture.pixels.size());
  }

  std::unique_ptr<PictureCache> finish() override {
    const std::size_t bytes = places_.size() * sizeof(Place);
    checksum_.add(places_.data(), bytes);
    footer_.images = places_.size();
    footer_.checksum = checksum_.value();
    write(places_.data(), bytes);
    write(&footer_, sizeof footer_);
    if (::fsync(file_.get()) != 0 || ::rename(beside_.c_str(), path_.c_str()) != 0) fail();
    finished_ = true;
    return std::make_unique<InFile>(::dup(file_.get()), std::move(places_));
  }

 private:
  void write(const void* bytes, std::size_t count) {
    const auto* from = static_cast<const char*>(bytes);
    written_ += count;
    while (count > 0) {
      const ssize_t done = ::write(file_.get(), from, count);
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) fail();
      from += done;
      count -= static_cast<std::size_t>(done);
    }
  }

  [[noreturn]] void fail() {
    const std::string reason = std::strerror(errno);
    ::unlink(beside_.c_str());
    throw ConfigError(path_, "cannot be written: " + reason);
  }

  std::string path_;
  std::string beside_;
  File file_;
  std::vector<Place> places_;
  Footer footer_;
  Checksum checksum_;
  std::uint64_t written_ = 0;
  bool finished_ = false;
};

/// Reads all of it; empty unless it is as it was written.
std::vector<Place> verified_places(const File& file, std::uint64_t key, std::uint64_t images) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return {};
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const std::uint64_t index_bytes = images * sizeof(Place);
  Footer footer;
  if (size < index_bytes + sizeof footer ||
      !read_at(file, &footer, sizeof footer, size - sizeof footer) ||
      footer.magic != Footer{}.magic || footer.key != key || footer.images != images)
    return {};
  const std::uint64_t index_first = size - sizeof footer - index_bytes;
  std::vector<Place> places(static_cast<std::size_t>(images));
  if (!read_at(file, places.data(), index_bytes, index_first)) return {};
  Checksum checksum;
  std::uint64_t offset = 0;
  std::vector<std::uint8_t> pixels;
  for (const Place& place : places) {
    const bool sensible = place.height >= 0 && place.height <= kMostPixels && place.width >= 0 &&
                          place.width <= kMostPixels && place.channels >= 0 && place.channels <= 4;
    if (!sensible || place.bytes() > index_first - offset ||
        (place.height > 0 && place.first != offset))
      return {};
    pixels.resize(place.bytes());
    if (!read_at(file, pixels.data(), pixels.size(), offset)) return {};
    checksum.add(pixels.data(), pixels.size());
    offset += pixels.size();
  }
  checksum.add(places.data(), index_bytes);
  return checksum.value() == footer.checksum && offset == index_first ? places
                                                                      : std::vector<Place>{};
}

}  // namespace

std::unique_ptr<PictureCacheBuilder> build_in_memory() {
  return std::make_unique<MemoryBuilder>();
}

std::unique_ptr<PictureCacheBuilder> build_in_file(const std::string& path, std::uint64_t key) {
  return std::make_unique<FileBuilder>(path, key);
}

std::unique_ptr<PictureCache> open_cache_file(const std::string& path, std::uint64_t key,
                                              std::int32_t images) {
  File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return nullptr;
  std::vector<Place> places = verified_places(file, key, static_cast<std::uint64_t>(images));
  if (places.empty()) return nullptr;
  return std::make_unique<InFile>(::dup(file.get()), std::move(places));
}

}  // namespace lockstep::exec
