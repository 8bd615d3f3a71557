#include "new_failed.h"

#include <cstdlib>
#include <new>

#include "api/slow_path.h"

// libstdc++'s own, if the program brought it.
namespace std {
[[gnu::weak]] new_handler get_new_handler() noexcept;
[[gnu::weak]] void __throw_bad_alloc();
}  // namespace std

// The handler may throw, so this file alone is compiled with exceptions, and what the compiler
// calls for a catch is the program's as well. Without a C++ runtime there is nobody who could
// throw.
asm(".weak __gxx_personality_v0\n"
    ".weak __cxa_begin_catch\n"
    ".weak __cxa_end_catch\n"
    ".weak _Unwind_Resume\n"
    ".weak _ZSt9terminatev\n");

namespace hakmem {
namespace {

// NULL if there is no handler to ask for memory (any more).
void *retry(size_t size, size_t alignment) {
  while (std::get_new_handler != nullptr) {
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) break;
    handler();
    void *block = allocate_aligned(alignment, size);
    if (block != nullptr) return block;
  }
  return nullptr;
}

}  // namespace

void *new_failed(size_t size, size_t alignment) {
  void *block = retry(size, alignment);
  if (block != nullptr) return block;
  if (std::__throw_bad_alloc != nullptr) std::__throw_bad_alloc();
  abort();
}

void *new_failed_nothrow(size_t size, size_t alignment) noexcept {
  try {
    return retry(size, alignment);
  } catch (...) {
    return nullptr;
  }
}

void *call_nothrow(void *(*allocate)(size_t), size_t size) noexcept {
  try {
    return allocate(size);
  } catch (...) {
    return nullptr;
  }
}

void *call_nothrow(void *(*allocate)(size_t, std::align_val_t), size_t size,
                   std::align_val_t alignment) noexcept {
  try {
    return allocate(size, alignment);
  } catch (...) {
    return nullptr;
  }
}

}  // namespace hakmem
