// plugin.cc - loaded and unloaded by program.cc and host.c; allocates in its constructors and
// destructors.
#include <new>
#include <string>
#include <vector>

namespace {
std::vector<std::string> g_lines(1'000, std::string(100, 'p'));
}

extern "C" std::vector<std::string> *plugin_make(int count) {
  return new std::vector<std::string>(g_lines.begin(), g_lines.begin() + count);
}
extern "C" void plugin_destroy(std::vector<std::string> *lines) { delete lines; }

namespace {
int g_handler_calls = 0;
}

// How often the new handler was called before bad_alloc; -1: new neither failed nor threw.
extern "C" int plugin_refused(size_t bytes) {
  std::set_new_handler([] {
    if (++g_handler_calls == 3) std::set_new_handler(nullptr);
  });
  try {
    operator delete(operator new(bytes));
  } catch (const std::bad_alloc &) {
    return g_handler_calls;
  }
  return -1;
}
