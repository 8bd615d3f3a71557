#include "model/installation.h"

#include <filesystem>
#include <system_error>

namespace hakbench {
namespace fs = std::filesystem;

std::string installation_folder() {
  std::error_code code;
  return fs::read_symlink("/proc/self/exe", code).parent_path().parent_path().string();
}

std::string relative_to_installation(const std::string &path) {
  const std::string prefix = installation_folder() + "/";
  return path.compare(0, prefix.size(), prefix) == 0 ? path.substr(prefix.size()) : path;
}

std::string resolve_in_installation(const std::string &path) {
  if (fs::path(path).is_absolute()) return path;
  const std::string below = installation_folder() + "/" + path;
  std::error_code code;
  return fs::exists(below, code) ? below : path;
}

}  // namespace hakbench
