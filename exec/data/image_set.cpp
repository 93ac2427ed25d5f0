// SPDX-License-Identifier: Apache-2.0
#include "exec/data/image_set.h"

#include <algorithm>
#include <utility>

#include "exec/data/framing.h"
#include "exec/data/parallel.h"
#include "models/base/errors.h"

namespace lockstep::exec {

void show(const Picture& prepared, const ImageFormat& format, std::int32_t image,
          std::int32_t epoch, Resizer& resizer, std::uint8_t* pixels) {
  if (!format.augment) {
    LOCKSTEP_CHECK(prepared.pixels.size() == format.bytes(), "a picture of another size");
    std::copy(prepared.pixels.begin(), prepared.pixels.end(), pixels);
    return;
  }
  const View view = random_view(format.seed, epoch, image, prepared.size, format.size);
  resizer.resize(prepared, view.box, format.size, view.mirrored, pixels);
}

namespace {

class StoredReader final : public ImageReader {
 public:
  StoredReader(const ImageFormat& format, const std::vector<std::uint8_t>& pixels)
      : format_(format), pixels_(pixels) {
    picture_.reshape(format.size, format.channels);
  }

  bool read(std::int32_t image, std::int32_t epoch, std::uint8_t* pixels) override {
    const std::size_t bytes = format_.bytes();
    const std::uint8_t* from = pixels_.data() + static_cast<std::size_t>(image) * bytes;
    if (!format_.augment) {
      std::copy_n(from, bytes, pixels);
    } else {
      std::copy_n(from, bytes, picture_.pixels.data());
      show(picture_, format_, image, epoch, resizer_, pixels);
    }
    return true;
  }

 private:
  const ImageFormat& format_;
  const std::vector<std::uint8_t>& pixels_;
  Picture picture_;
  Resizer resizer_;
};

}  // namespace

void read_all(const ImageSet& images, std::int32_t first, std::int32_t count, std::size_t threads) {
  struct Worker {
    std::unique_ptr<ImageReader> reader;
    std::vector<std::uint8_t> pixels;
  };
  parallel(
      static_cast<std::size_t>(count), threads,
      [&] {
        return Worker{images.reader(), std::vector<std::uint8_t>(images.format().bytes())};
      },
      [&](Worker& worker, std::size_t index) {
        worker.reader->read(first + static_cast<std::int32_t>(index), 0, worker.pixels.data());
      });
}

StoredImages::StoredImages(ImageFormat format, std::vector<std::uint8_t> pixels,
                           std::vector<std::uint8_t> labels)
    : format_(format), pixels_(std::move(pixels)), labels_(std::move(labels)) {
  LOCKSTEP_CHECK(pixels_.size() == labels_.size() * format_.bytes(),
                 std::to_string(pixels_.size()) + " bytes of pixels, " +
                     std::to_string(labels_.size()) + " labels");
}

std::unique_ptr<ImageReader> StoredImages::reader() const {
  return std::make_unique<StoredReader>(format_, pixels_);
}

}  // namespace lockstep::exec
