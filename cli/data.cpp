// SPDX-License-Identifier: Apache-2.0
// lockstep data: makes sets of drawn images, checks sets of JPEG files.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <optional>
#include <thread>
#include <utility>

#include "cli/command_line.h"
#include "cli/prediction.h"
#include "exec/data/jpeg_images.h"
#include "exec/drawing/drawn_set.h"
#include "models/base/errors.h"
#include "models/results/result.h"

namespace lockstep::cli {

namespace {

std::size_t all_cores() {
  return std::max(1u, std::thread::hardware_concurrency());
}

options::options_description make_flags() {
  options::options_description flags(
      "lockstep data make --out FOLDER --images N [flags]\n\n"
      "Draws cats and dogs, half and half, as JPEG files. What is drawn follows from the seed.\n"
      "Flags");
  auto add = flags.add_options();
  add("help", "this text");
  add("out", options::value<std::string>(), "folder to make; it must not exist");
  add("images", options::value<std::string>(), "how many");
  add("size", options::value<std::string>(), "about so many pixels square (default 350)");
  add("difficulty", options::value<std::string>(),
      "0 (large, typical, little clutter) to 1 (default 0.5)");
  add("seed", options::value<std::string>(), "default 1");
  add("layout", options::value<std::string>(),
      "kaggle: train/cat.0.jpg (default); folders: cat/0.jpg");
  return flags;
}

int make(const Arguments& arguments) {
  const options::options_description flags = make_flags();
  const options::variables_map values = parse(flags, arguments);
  if (values.count("help")) {
    std::cout << flags;
    return kFine;
  }
  if (!values.count("out")) throw ConfigError("--out", "expected the folder to make");
  if (!values.count("images")) throw ConfigError("--images", "expected how many to draw");
  check_outputs(values, {"out"});
  exec::DrawnSet set;
  set.images = static_cast<std::int32_t>(whole_number(values, "images", 1, 100'000'000));
  if (values.count("size"))
    set.scene.size = static_cast<std::int32_t>(whole_number(values, "size", 16, 4096));
  if (values.count("difficulty"))
    set.scene.difficulty = static_cast<float>(number(values, "difficulty", 0, 1));
  if (values.count("seed"))
    set.scene.seed = static_cast<std::uint64_t>(whole_number(values, "seed", 0, INT64_MAX));
  if (values.count("layout")) {
    const std::string layout = values["layout"].as<std::string>();
    if (layout != "kaggle" && layout != "folders")
      throw ConfigError("--layout", "expected kaggle or folders, is \"" + layout + "\"");
    if (layout == "folders") set.layout = exec::Layout::Folders;
  }
  exec::draw_set(set, values["out"].as<std::string>(), all_cores());
  return kFine;
}

options::options_description check_flags() {
  options::options_description flags(
      "lockstep data check FOLDER [flags]\n\n"
      "Decodes every JPEG file of a set as training does, and lists those that cannot be used.\n"
      "Status 1 if there are any. Flags");
  auto add = flags.add_options();
  add("help", "this text");
  add("skipped-out", options::value<std::string>(), "write the list to a file");
  return flags;
}

int check(const Arguments& arguments) {
  const options::options_description flags = check_flags();
  options::options_description all;
  all.add(flags).add_options()("folder", options::value<std::vector<std::string>>());
  const options::variables_map values = parse(all, arguments, "folder");
  if (values.count("help")) {
    std::cout << flags;
    return kFine;
  }
  const auto folders = values.count("folder") ? values["folder"].as<std::vector<std::string>>()
                                              : std::vector<std::string>{};
  if (folders.size() != 1) throw ConfigError("data check", "expected one folder");
  check_outputs(values, {"skipped-out"});
  std::optional<exec::ImageFiles> files = exec::find_image_files(folders[0]);
  if (!files) throw ConfigError(folders[0], "has no JPEG files named cat.0.jpg or cat/….jpg");
  const std::size_t classes = files->classes.size();
  // At a small size: damage shows at any.
  const exec::JpegImages images(std::move(*files), {.size = {32, 32}, .channels = 3}, false);
  exec::read_all(images, 0, images.count(), all_cores());
  std::string list;
  const std::vector<exec::Fault> faults = images.faults();
  for (const exec::Fault& fault : faults)
    list += fault.file + ": " + fault.reason + "\n";
  if (values.count("skipped-out"))
    results::write_file(values["skipped-out"].as<std::string>(), list);
  else
    std::fputs(list.c_str(), stdout);
  std::printf("%d images of %zu classes, of which %zu cannot be used\n", images.count(), classes,
              faults.size());
  return faults.empty() ? kFine : kCheckFailed;
}

}  // namespace

int run_data(const Arguments& arguments) {
  const std::string what = arguments.empty() ? "" : arguments[0];
  const Arguments rest(arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end());
  if (what == "make") return make(rest);
  if (what == "check") return check(rest);
  if (what == "--help") {
    std::cout << make_flags() << '\n' << check_flags();
    return kFine;
  }
  throw ConfigError("lockstep data",
                    "expected make or check" + (what.empty() ? "" : ", is \"" + what + "\""));
}

}  // namespace lockstep::cli
