// consumer.cc - a C++ program that links hakmem: prints the files its operators and malloc come
// from, and frees in static and thread_local destructors.
#include <dlfcn.h>
#include <hakmem/hakmem.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

void prove(const void *block, size_t bytes) {
  if (hakmem_usable_size(const_cast<void *>(block)) < bytes) std::_Exit(2);  // aborts on any other
}

// Its destructor runs after main, and after those of the thread_local objects below.
struct Static {
  std::vector<std::string> lines = std::vector<std::string>(100, std::string(200, 's'));
  ~Static() {
    prove(lines.data(), 100 * sizeof(std::string));
    lines.resize(5'000);
  }
} g_static;

struct PerThread {
  std::vector<int> numbers = std::vector<int>(1'000);
  ~PerThread() { numbers.resize(100'000); }
};
thread_local PerThread t_numbers;

}  // namespace

int main() {
  for (int i = 0; i < 100; ++i) std::thread([] { t_numbers.numbers.push_back(1); }).join();
  t_numbers.numbers.push_back(2);
  const auto one = std::make_unique<char[]>(300);
  prove(one.get(), 300);
  struct alignas(128) Wide {
    char bytes[128];
  };
  const auto wide = std::make_unique<Wide>();
  prove(wide.get(), sizeof(Wide));
  // Nothing here calls malloc, but the libraries do.
  for (const char *name : {"_Znwm", "_ZdlPv", "malloc", "free"}) {
    Dl_info info{};
    if (dladdr(dlsym(RTLD_DEFAULT, name), &info) == 0) return 3;
    std::printf("%s\n", info.dli_fname);
  }
}
