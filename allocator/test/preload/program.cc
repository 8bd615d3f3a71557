// program.cc - a C++ program with every habit that makes life hard for a preloaded malloc.
//
// Purpose: static constructors and destructors, thread_local objects, exceptions across threads,
//   over-aligned new, dlopen and dlclose, blocks that cross library borders, detached threads at exit.
//   Prints the same text whatever the allocator.
#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

struct Registry {
  std::map<std::string, std::vector<int>> entries;
  Registry() {
    for (int i = 0; i < 1'000; ++i) entries["early " + std::to_string(i % 50)].push_back(i);
  }
  ~Registry() {
    // The last words of the program, after main and after the threads.
    std::string last;
    for (const auto &[name, numbers] : entries)
      last += name.back() + std::to_string(numbers.size());
    std::printf("destroyed %zu entries, %zu bytes\n", entries.size(), last.size());
  }
} g_registry;

thread_local std::vector<std::string> t_words;

struct alignas(256) Wide {
  char bytes[1'000];
};

size_t work(unsigned seed) {
  std::unordered_map<std::string, std::string> map;
  for (unsigned i = 0; i < 20'000; ++i) {
    seed = seed * 1664525u + 1013904223u;
    const std::string key = std::to_string(seed % 5'000);
    if (seed % 3 == 0)
      map.erase(key);
    else
      map[key] += key;
    t_words.push_back(key);
    if (t_words.size() > 1'000) t_words.clear();
  }
  size_t total = 0;
  for (const auto &[key, value] : map) total += key.size() * value.size();
  return total;
}

void use_plugin(const char *path) {
  for (int i = 0; i < 20; ++i) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error(dlerror());
    using Lines = std::vector<std::string>;
    auto *make = reinterpret_cast<Lines *(*)(int)>(dlsym(library, "plugin_make"));
    auto *destroy = reinterpret_cast<void (*)(Lines *)>(dlsym(library, "plugin_destroy"));
    std::unique_ptr<Lines> mine(make(500));
    destroy(make(100));
    dlclose(library);
    if (mine->size() != 500) throw std::runtime_error("plugin");
  }
}

}  // namespace

int main(int argc, char **argv) {
  std::vector<std::future<size_t>> futures;
  for (unsigned i = 0; i < 8; ++i) futures.push_back(std::async(std::launch::async, work, i));
  for (auto &future : futures) std::printf("%zu\n", future.get());

  auto failing = std::async(std::launch::async,
                            []() -> int { throw std::runtime_error(std::string(300, 'e')); });
  try {
    failing.get();
  } catch (const std::runtime_error &error) {
    std::printf("caught %zu\n", std::string(error.what()).size());
  }
  try {
    std::vector<char> impossible(static_cast<size_t>(argc) << 46);
    std::printf("impossible\n");
  } catch (const std::bad_alloc &) {
    std::printf("bad_alloc\n");
  }

  std::vector<std::unique_ptr<Wide>> wide(100);
  for (auto &one : wide) one = std::make_unique<Wide>();
  std::printf("aligned %d\n", std::all_of(wide.begin(), wide.end(), [](const auto &one) {
                return reinterpret_cast<uintptr_t>(one.get()) % alignof(Wide) == 0;
              }));

  if (argc > 1) use_plugin(argv[1]);
  // What other parts of the C library allocate must be ours to free.
  char *line = nullptr;
  size_t capacity = 0;
  if (FILE *file = std::fopen("/proc/self/status", "r")) {
    while (getline(&line, &capacity, file) > 0) continue;
    std::fclose(file);
  }
  std::free(line);
  char *path = realpath("/usr/../usr", nullptr);
  std::printf("%s\n", path);
  std::free(path);
  std::thread([] {
    for (unsigned seed = 0;; ++seed) work(seed);
  }).detach();
}
