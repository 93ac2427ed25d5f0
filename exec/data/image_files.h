// SPDX-License-Identifier: Apache-2.0
// Folders of JPEG files: which files there are, what they show, which are for testing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep::exec {

struct ImageFile {
  std::string name;  // within the folder: "cat.0.jpg", "cat/0.jpg"
  std::int32_t label = 0;
};

/// Sorted by label, then by name.
struct ImageFiles {
  std::string folder;                // that the names are within
  std::vector<std::string> classes;  // sorted; a label is a place in this list
  std::vector<ImageFile> files;

  std::string path(std::size_t file) const { return folder + "/" + files[file].name; }
};

/// Finds the files of `folder`, or of its subfolder `train`, in either layout:
/// - `cat.0.jpg`, `dog.0.jpg`: class, number (as Kaggle's Dogs vs Cats has them)
/// - one folder per class: `cat/….jpg`, `dog/….jpg`
/// Files end in .jpg or .jpeg, in capitals too; others are ignored. Nothing, if there are no such
/// files. Throws ConfigError: fewer than two classes, names that are neither of these.
std::optional<ImageFiles> find_image_files(const std::string& folder);

struct SplitFiles {
  ImageFiles train;
  ImageFiles test;
};

/// Puts `test_share` of each class's files (to the nearest whole number) aside for testing. Which
/// ones follows from the names and the seed alone.
SplitFiles split(const ImageFiles& files, double test_share, std::uint64_t seed);

}  // namespace lockstep::exec
