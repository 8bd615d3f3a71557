#include "cli/locations.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "model/error.h"
#include "model/text.h"

namespace hakbench {
namespace fs = std::filesystem;

namespace {

// A candidate that can't be looked at is none.
bool is_there(const fs::path &path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

}  // namespace

std::string executable_folder() {
  std::error_code code;
  return fs::read_symlink("/proc/self/exe", code).parent_path().string();
}

std::string plugin_folder() {
  if (const char *folder = getenv("HAKBENCH_PLUGIN_DIR")) return folder;
  const fs::path root = fs::path(executable_folder()).parent_path();
  for (const fs::path &folder : {root / "plugins", root / "lib/hakmem/plugins"})
    if (is_there(folder)) return folder.string();
  return (root / "plugins").string();
}

std::string find_library(const std::string &file) {
  const fs::path root = fs::path(executable_folder()).parent_path();
  for (const fs::path &folder : {root / "lib", root / "lib/hakmem"})
    if (is_there(folder / file)) return (folder / file).string();
  throw Error(file + " is in neither lib nor lib/hakmem of " + root.string() +
              "; build this project whole, or install again");
}

std::vector<std::string> profile_folders() {
  std::vector<std::string> folders;
  const fs::path root = fs::path(executable_folder()).parent_path();
  for (const fs::path &folder :
       {fs::path("profiles"), root / "share/hakmem/profiles",
        root.parent_path().parent_path() / "profiles", fs::path(HAKBENCH_SOURCE_PROFILES)})
    if (access((folder / ".").c_str(), R_OK | X_OK) == 0) folders.push_back(folder.string());
  return folders;
}

std::string gates_file() {
  return (fs::path(executable_folder()).parent_path() / "share/hakmem/gates.json").string();
}

std::string find_profile(const std::string &name) {
  if (name.find('/') != std::string::npos || fs::path(name).extension() == ".json") return name;
  std::vector<std::string> known;
  for (const std::string &folder : profile_folders()) {
    const fs::path path = fs::path(folder) / (name + ".json");
    if (is_there(path)) return path.string();
    for (const auto &entry : fs::directory_iterator(folder))
      if (entry.path().extension() == ".json" && entry.path().stem() != "schema")
        known.push_back(entry.path().stem().string());
  }
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  throw Error("unknown profile '" + name + "'" + suggest(name, known));
}

std::optional<std::string> find_tool(const std::string &name) {
  const std::string file = "hakbench-" + name;
  const fs::path own = executable_folder();
  std::vector<fs::path> folders = {own, own.parent_path() / "libexec/hakmem"};
  const char *search_path = getenv("PATH");
  std::istringstream entries(search_path == nullptr ? "" : search_path);
  for (std::string entry; std::getline(entries, entry, ':');)
    if (!entry.empty()) folders.push_back(entry);
  for (const fs::path &folder : folders)
    if (access((folder / file).c_str(), X_OK) == 0) return (folder / file).string();
  return std::nullopt;
}

}  // namespace hakbench
