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

}  // namespace hakbench
