#include "coordinator/allocator_environment.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace hakbench {
namespace {

// A name, or the beginning of one if it ends in an underscore. glibc's and jemalloc's begin with MALLOC_.
constexpr std::string_view kNames[] = {"HAKMEM_",   "MIMALLOC_",      "MALLOC_",
                                       "JEMALLOC_", "TCMALLOC_",      "RPMALLOC_",
                                       "SNMALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD"};
constexpr std::string_view kOurs = "HAKMEM_BENCH_";

bool is_allocators(std::string_view name) {
  if (name.substr(0, kOurs.size()) == kOurs) return false;
  return std::any_of(std::begin(kNames), std::end(kNames), [&](std::string_view known) {
    return known.back() == '_' ? name.substr(0, known.size()) == known : name == known;
  });
}

}  // namespace

Environment allocator_environment() {
  Environment found;
  for (char **entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = text.substr(0, equals);
    if (is_allocators(name)) found.emplace(name, text.substr(equals + 1));
  }
  return found;
}

void set_allocator_environment(const Environment &wanted) {
  for (const auto &[name, value] : allocator_environment())
    if (wanted.count(name) == 0) unsetenv(name.c_str());
  for (const auto &[name, value] : wanted) setenv(name.c_str(), value.c_str(), 1);
}

}  // namespace hakbench
