// SPDX-License-Identifier: Apache-2.0
// The house rules that a program can check: who may include whom, which library stays where, and
// the shape of files. Prints path:line: message for each fault; status 1 if there is one.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

int faults = 0;

void report(const std::string& path, std::size_t line, const std::string& message) {
  std::cout << path << ":" << line << ": " << message << "\n";
  ++faults;
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

/// What each folder may include: itself and, transitively, what its lockstep_library call USES.
using Uses = std::map<std::string, std::set<std::string>>;

Uses read_uses(const fs::path& root, const std::vector<std::string>& paths) {
  Uses uses;
  const std::regex call(R"(lockstep_library\(\s*(\S+)([^)]*)\))");
  const std::regex section(R"(USES([^)]*?)(LINKS|SOURCES|$))");
  const std::regex word(R"([a-z]+/[a-z_]+)");
  for (const std::string& path : paths) {
    if (!path.ends_with("CMakeLists.txt")) continue;
    const std::string text = read(root / path);
    for (std::sregex_iterator at(text.begin(), text.end(), call), end; at != end; ++at) {
      std::string rest = (*at)[2];
      std::replace(rest.begin(), rest.end(), '\n', ' ');
      std::set<std::string>& used = uses[(*at)[1]];
      std::smatch found;
      if (!std::regex_search(rest, found, section)) continue;
      const std::string list = found[1];
      for (std::sregex_iterator w(list.begin(), list.end(), word); w != end; ++w)
        used.insert(w->str());
    }
  }
  for (bool grown = true; grown;) {
    grown = false;
    for (auto& [folder, used] : uses)
      for (const std::string& other : std::set<std::string>(used))
        for (const std::string& deeper : uses[other])
          grown |= used.insert(deeper).second;
  }
  return uses;
}

/// A library's header and where alone it may be included.
struct Fence {
  const char* pattern;
  const char* allowed;
};

const Fence kFences[] = {
    {R"(#include <nlohmann/)", R"(_json\.(h|cpp)$|^tests/)"},
    {R"(#include <boost/asio)", R"(^exec/|^tests/exec/)"},
    {R"(#include <boost/program_options)", R"(^cli/)"},
    {R"(#include <(chrono|ctime|time\.h)>)", R"(^exec/|^cli/|^tests/)"},
    {R"(#include <(Eigen|cblas\.h|dnnl))", R"(^exec/(kernels|codecs|learning)/|^tests/)"},
    {R"(#include "models/base/object_json\.h")", R"(_json\.(h|cpp)$|^tests/)"},
    {R"(#include <expat\.h>)", R"(_xml\.cpp$)"},
    {R"(#include "models/base/element_xml\.h")", R"(_xml\.(h|cpp)$|^tests/)"},
};

void check_includes(const std::string& path, const std::vector<std::string>& lines,
                    const Uses& uses) {
  static const std::regex ours(
      R"re(^#include "((models|sim|exec|cli)(/[a-z_]+)?)/[a-z_0-9]+\.h")re");
  const std::string folder = folder_of(path);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    for (const Fence& fence : kFences)
      if (std::regex_search(lines[i], std::regex(fence.pattern)) &&
          !std::regex_search(path, std::regex(fence.allowed)))
        report(path, i + 1, "may not be included here, only in " + std::string(fence.allowed));
    std::smatch found;
    const auto used = uses.find(folder);
    if (used == uses.end() || !std::regex_search(lines[i], found, ours)) continue;
    const std::string target = found[1];
    if (target != folder && !used->second.contains(target))
      report(path, i + 1, folder + " does not USE " + target + " in its CMakeLists.txt");
  }
}

void check_shape(const std::string& path, const std::vector<std::string>& lines) {
  const bool is_code = path.ends_with(".cpp") || path.ends_with(".h");
  if (is_code && (lines.empty() || lines[0] != "// SPDX-License-Identifier: Apache-2.0"))
    report(path, 1, "must begin with the SPDX line");
  if (path.ends_with(".h") && std::find(lines.begin(), lines.end(), "#pragma once") == lines.end())
    report(path, 1, "a header needs #pragma once");
  if (is_code && lines.size() > 400)
    report(path, lines.size(), "over 400 lines: is it still one idea?");
  static const std::regex leftover(R"(\b(TODO|FIXME|XXX|HACK)\b)");
  static const std::regex names(R"(\b(class|struct) \w*(Manager|Helper|Util|Impl)\b)");
  static const std::regex worlds(R"(is_?[sS]imulated)");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    // UTF-8: count characters, not bytes.
    const auto characters = std::count_if(lines[i].begin(), lines[i].end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    });
    if (is_code && characters > 100) report(path, i + 1, "over 100 columns");
    if (is_code && lines[i].find('\t') != std::string::npos) report(path, i + 1, "a tab");
    if (std::regex_search(lines[i], leftover)) report(path, i + 1, "a left-over note");
    if (std::regex_search(lines[i], names)) report(path, i + 1, "name what it is");
    if (std::regex_search(lines[i], worlds) && path.starts_with("models/"))
      report(path, i + 1, "shared code cannot ask which world it is in");
  }
}

std::vector<std::string> source_paths(const fs::path& root) {
  std::vector<std::string> paths;
  for (const char* top : {"models", "sim", "exec", "cli", "tests", "topologies"})
    for (const auto& entry : fs::recursive_directory_iterator(root / top))
      if (entry.is_regular_file()) paths.push_back(fs::relative(entry.path(), root).string());
  // This folder speaks of everything that it forbids.
  std::erase_if(paths, [](const std::string& path) { return path.starts_with("tests/tidy/"); });
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

int main(int count, char** values) {
  if (count != 2) {
    std::cerr << "usage: tidy REPOSITORY\n";
    return 2;
  }
  const fs::path root = values[1];
  const std::vector<std::string> paths = source_paths(root);
  const Uses uses = read_uses(root, paths);
  for (const std::string& path : paths) {
    if (!path.ends_with(".cpp") && !path.ends_with(".h") && !path.ends_with(".txt")) continue;
    const std::vector<std::string> lines = lines_of(read(root / path));
    check_includes(path, lines, uses);
    check_shape(path, lines);
  }
  for (const auto& [folder, used] : uses)
    for (const std::string& other : used)
      if ((folder.starts_with("models/") && !other.starts_with("models/")) ||
          (folder.starts_with("sim/") && other.starts_with("exec/")) ||
          (folder.starts_with("exec/") && other.starts_with("sim/")))
        report(folder + "/CMakeLists.txt", 1, "may not use " + other);
  std::cout << paths.size() << " files, " << faults << " faults\n";
  return faults == 0 ? 0 : 1;
}
