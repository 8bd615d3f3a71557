// cxx_operators.cc - every replaceable operator new and delete.
//
// Boundary:   the C++ runtime is not linked: what a failing new needs from it is taken from the
//             program, which has it if it calls operator new at all.
#include <cstdlib>
#include <new>

#include "api/family.h"

using namespace hakmem;

#define OPERATOR __attribute__((visibility("default")))

// libstdc++'s own, if the program brought it.
namespace std {
[[gnu::weak]] new_handler get_new_handler() noexcept;
[[gnu::weak]] void __throw_bad_alloc();
}  // namespace std

namespace {

// Out of libhakmem.a the linker takes what is asked for only: who takes the operators takes the
// malloc family along, so that all blocks of the program come from one allocator.
[[gnu::used]] void *(*const g_malloc_too)(size_t) = malloc;

// Asks the program's handler for memory; false if there is none.
bool ask_new_handler() {
  if (std::get_new_handler == nullptr) return false;
  const std::new_handler handler = std::get_new_handler();
  if (handler == nullptr) return false;
  handler();
  return true;
}

[[gnu::noinline, gnu::cold]] void *retry(size_t size, size_t alignment, bool may_throw) {
  while (ask_new_handler()) {
    void *block = allocate_aligned(alignment, size);
    if (block != nullptr) return block;
  }
  if (!may_throw) return nullptr;
  if (std::__throw_bad_alloc != nullptr) std::__throw_bad_alloc();
  abort();
}

inline void *new_block(size_t size, bool may_throw) {
  void *block = fast_malloc(size);
  if (block == nullptr) [[unlikely]]
    return retry(size, kMinAlign, may_throw);
  return block;
}

inline void *new_aligned(size_t size, std::align_val_t alignment, bool may_throw) {
  void *block = allocate_aligned(static_cast<size_t>(alignment), size);
  if (block == nullptr) [[unlikely]] {
    return retry(size, static_cast<size_t>(alignment), may_throw);
  }
  return block;
}

}  // namespace

OPERATOR void *operator new(size_t n) { return new_block(n, true); }
OPERATOR void *operator new[](size_t n) { return new_block(n, true); }
OPERATOR void *operator new(size_t n, const std::nothrow_t &) noexcept {
  return new_block(n, false);
}
OPERATOR void *operator new[](size_t n, const std::nothrow_t &) noexcept {
  return new_block(n, false);
}
OPERATOR void *operator new(size_t n, std::align_val_t a) { return new_aligned(n, a, true); }
OPERATOR void *operator new[](size_t n, std::align_val_t a) { return new_aligned(n, a, true); }
OPERATOR void *operator new(size_t n, std::align_val_t a, const std::nothrow_t &) noexcept {
  return new_aligned(n, a, false);
}
OPERATOR void *operator new[](size_t n, std::align_val_t a, const std::nothrow_t &) noexcept {
  return new_aligned(n, a, false);
}

OPERATOR void operator delete(void *p) noexcept { fast_free(p); }
OPERATOR void operator delete[](void *p) noexcept { fast_free(p); }
OPERATOR void operator delete(void *p, const std::nothrow_t &) noexcept { fast_free(p); }
OPERATOR void operator delete[](void *p, const std::nothrow_t &) noexcept { fast_free(p); }
OPERATOR void operator delete(void *p, size_t n) noexcept { family::free_sized(p, n); }
OPERATOR void operator delete[](void *p, size_t n) noexcept { family::free_sized(p, n); }
OPERATOR void operator delete(void *p, std::align_val_t) noexcept { fast_free(p); }
OPERATOR void operator delete[](void *p, std::align_val_t) noexcept { fast_free(p); }
OPERATOR void operator delete(void *p, std::align_val_t, const std::nothrow_t &) noexcept {
  fast_free(p);
}
OPERATOR void operator delete[](void *p, std::align_val_t, const std::nothrow_t &) noexcept {
  fast_free(p);
}
OPERATOR void operator delete(void *p, size_t, std::align_val_t) noexcept { fast_free(p); }
OPERATOR void operator delete[](void *p, size_t, std::align_val_t) noexcept { fast_free(p); }
