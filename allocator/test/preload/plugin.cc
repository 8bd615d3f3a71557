// plugin.cc - loaded and unloaded by program.cc; allocates in its constructors and destructors.
#include <string>
#include <vector>

namespace {
std::vector<std::string> g_lines(1'000, std::string(100, 'p'));
}

extern "C" std::vector<std::string> *plugin_make(int count) {
  return new std::vector<std::string>(g_lines.begin(), g_lines.begin() + count);
}
extern "C" void plugin_destroy(std::vector<std::string> *lines) { delete lines; }
