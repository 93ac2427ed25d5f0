// SPDX-License-Identifier: Apache-2.0
#include "exec/data/image_files.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>

#include "models/base/errors.h"
#include "models/base/random.h"

namespace lockstep::exec {

namespace {

namespace fs = std::filesystem;

/// Keeps these random numbers apart from others that are drawn from the same seed.
constexpr std::uint64_t kStream = 0x73706c6974;  // "split"

bool is_jpeg_name(const std::string& name) {
  std::string ending = fs::path(name).extension();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char letter) { return std::tolower(letter); });
  return ending == ".jpg" || ending == ".jpeg";
}

struct Listing {
  std::vector<std::string> folders;
  std::vector<std::string> images;
};

Listing list(const fs::path& folder) {
  Listing listing;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (name.starts_with('.')) continue;
    std::error_code ignored;
    if (entry->is_directory(ignored))
      listing.folders.push_back(name);
    else if (is_jpeg_name(name) && entry->is_regular_file(ignored))
      listing.images.push_back(name);
  }
  if (error) throw ConfigError(folder, "cannot be listed: " + error.message());
  std::sort(listing.folders.begin(), listing.folders.end());
  std::sort(listing.images.begin(), listing.images.end());
  return listing;
}

/// "cat.0.jpg" → "cat"; "" when the name is not of that kind.
std::string class_of(const std::string& name) {
  const std::string stem = fs::path(name).stem();
  const std::size_t dot = stem.rfind('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == stem.size() ||
      stem.find_first_not_of("0123456789", dot + 1) != std::string::npos)
    return "";
  return stem.substr(0, dot);
}

using ByClass = std::map<std::string, std::vector<std::string>>;

ByClass by_file_name(const fs::path& folder, const std::vector<std::string>& names) {
  ByClass classes;
  for (const std::string& name : names) {
    const std::string label = class_of(name);
    if (label.empty())
      throw ConfigError((folder / name).string(),
                        "does not say what it shows: beside the folder's other images expected a "
                        "name such as cat.0.jpg (class, number)");
    classes[label].push_back(name);
  }
  return classes;
}

ByClass by_subfolder(const fs::path& folder, const std::vector<std::string>& subfolders) {
  ByClass classes;
  for (const std::string& subfolder : subfolders)
    for (const std::string& name : list(folder / subfolder).images)
      classes[subfolder].push_back(subfolder + "/" + name);
  return classes;
}

ByClass find_in(const fs::path& folder) {
  const Listing listing = list(folder);
  return listing.images.empty() ? by_subfolder(folder, listing.folders)
                                : by_file_name(folder, listing.images);
}

}  // namespace

std::optional<ImageFiles> find_image_files(const std::string& folder) {
  ImageFiles found;
  found.folder = folder;
  ByClass classes = find_in(folder);
  // A folder train with images directly in it would be taken for a class.
  const std::string train = folder + "/train";
  const bool only_train = classes.empty() || (classes.size() == 1 && classes.contains("train"));
  if (only_train && fs::is_directory(train)) {
    found.folder = train;
    classes = find_in(train);
  }
  if (classes.empty()) return std::nullopt;
  if (classes.size() == 1)
    throw ConfigError(found.folder, "has images of only one class, \"" + classes.begin()->first +
                                        "\"; expected two at least");
  for (const auto& [name, files] : classes) {
    for (const std::string& file : files)
      found.files.push_back({file, static_cast<std::int32_t>(found.classes.size())});
    found.classes.push_back(name);
  }
  return found;
}

SplitFiles split(const ImageFiles& files, double test_share, std::uint64_t seed) {
  SplitFiles parts{{files.folder, files.classes, {}}, {files.folder, files.classes, {}}};
  for (std::size_t first = 0; first < files.files.size();) {
    const std::int32_t label = files.files[first].label;
    std::size_t end = first;
    while (end < files.files.size() && files.files[end].label == label)
      ++end;
    std::vector<std::size_t> order(end - first);
    std::iota(order.begin(), order.end(), std::size_t{0});
    Random(seed, kStream, static_cast<std::uint64_t>(label)).shuffle(order);
    const auto tested =
        static_cast<std::size_t>(std::lround(test_share * static_cast<double>(order.size())));
    std::vector<bool> is_test(order.size());
    for (std::size_t i = 0; i < tested; ++i)
      is_test[order[i]] = true;
    for (std::size_t i = 0; i < order.size(); ++i)
      (is_test[i] ? parts.test : parts.train).files.push_back(files.files[first + i]);
    first = end;
  }
  return parts;
}

}  // namespace lockstep::exec
