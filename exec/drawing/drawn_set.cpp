// SPDX-License-Identifier: Apache-2.0
#include "exec/drawing/drawn_set.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "exec/data/jpeg.h"
#include "exec/data/parallel.h"
#include "models/base/errors.h"
#include "models/base/random.h"

namespace lockstep::exec {

namespace {

namespace fs = std::filesystem;

std::string file_name(const DrawnSet& set, Species species, std::int32_t number) {
  const std::string kind = species == Species::Cat ? "cat" : "dog";
  const std::string file = std::to_string(number) + ".jpg";
  return set.layout == Layout::Kaggle ? "train/" + kind + "." + file : kind + "/" + file;
}

/// A folder under a name of its own that goes unless it gets its real one.
class UnfinishedFolder {
 public:
  explicit UnfinishedFolder(const std::string& folder)
      : folder_(folder), beside_(folder + ".unfinished-" + std::to_string(::getpid())) {
    fs::create_directory(beside_);
  }
  ~UnfinishedFolder() {
    std::error_code ignored;
    fs::remove_all(beside_, ignored);
  }
  UnfinishedFolder(const UnfinishedFolder&) = delete;
  UnfinishedFolder& operator=(const UnfinishedFolder&) = delete;

  const fs::path& path() const { return beside_; }
  void finish() { fs::rename(beside_, folder_); }

 private:
  fs::path folder_;
  fs::path beside_;
};

}  // namespace

std::vector<std::uint8_t> draw_jpeg(Species species, std::int32_t number,
                                    const SceneOptions& options) {
  Random random(~options.seed, static_cast<std::uint64_t>(species),
                static_cast<std::uint64_t>(number));
  const JpegOptions jpeg{.quality = 76 + static_cast<int>(random.below(15))};
  return encode_jpeg(draw_scene(species, number, options), jpeg);
}

void draw_set(const DrawnSet& set, const std::string& folder, std::size_t threads) {
  if (fs::exists(folder)) throw ConfigError(folder, "exists already");
  try {
    UnfinishedFolder unfinished(folder);
    for (const Species species : {Species::Cat, Species::Dog})
      fs::create_directories((unfinished.path() / file_name(set, species, 0)).parent_path());
    parallel(
        static_cast<std::size_t>(set.images), threads, [] { return 0; },
        [&](int, std::size_t index) {
          const Species species = index % 2 == 0 ? Species::Cat : Species::Dog;
          const auto number = static_cast<std::int32_t>(index / 2);
          const std::vector<std::uint8_t> jpeg = draw_jpeg(species, number, set.scene);
          std::ofstream file;
          file.exceptions(std::ios::failbit | std::ios::badbit);
          file.open(unfinished.path() / file_name(set, species, number), std::ios::binary);
          file.write(reinterpret_cast<const char*>(jpeg.data()),
                     static_cast<std::streamsize>(jpeg.size()));
          file.close();
        });
    unfinished.finish();
  } catch (const std::system_error& error) {  // fs::filesystem_error and ios::failure
    throw ConfigError(folder, "cannot be written: " + error.code().message());
  }
}

}  // namespace lockstep::exec
