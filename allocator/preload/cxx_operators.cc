// cxx_operators.cc - every replaceable operator new and delete.
//
// Boundary:   each is malloc's or free's fast path, or one call; what happens when there is no
//             memory is new_failed.cc's.
#include <cstdlib>
#include <new>

#include "api/family.h"
#include "new_failed.h"

using namespace hakmem;

#define OPERATOR __attribute__((visibility("default")))

namespace {

// Out of libhakmem.a the linker takes what is asked for only: who takes the operators takes the
// malloc family along, so that all blocks of the program come from one allocator.
[[gnu::used]] void *(*const g_malloc_too)(size_t) = malloc;

inline void *new_block(size_t size) {
  void *block = fast_malloc(size);
  if (block == nullptr) [[unlikely]]
    return new_failed(size, kMinAlign);
  return block;
}

inline void *new_block_nothrow(size_t size) {
  void *block = fast_malloc(size);
  if (block == nullptr) [[unlikely]]
    return new_failed_nothrow(size, kMinAlign);
  return block;
}

// Apart, so that the fast path needs no frame.
[[gnu::noinline]] void *new_aligned_slow(size_t size, size_t alignment) {
  void *block = allocate_aligned(alignment, size);
  return block != nullptr ? block : new_failed(size, alignment);
}

[[gnu::noinline]] void *new_aligned_nothrow_slow(size_t size, size_t alignment) {
  void *block = allocate_aligned(alignment, size);
  return block != nullptr ? block : new_failed_nothrow(size, alignment);
}

inline void *new_aligned(size_t size, std::align_val_t align) {
  const size_t alignment = static_cast<size_t>(align);
  void *block = pop_aligned(alignment, size);
  return block != nullptr ? block : new_aligned_slow(size, alignment);
}

inline void *new_aligned_nothrow(size_t size, std::align_val_t align) {
  const size_t alignment = static_cast<size_t>(align);
  void *block = pop_aligned(alignment, size);
  return block != nullptr ? block : new_aligned_nothrow_slow(size, alignment);
}

}  // namespace

OPERATOR void *operator new(size_t n) { return new_block(n); }
OPERATOR void *operator new[](size_t n) { return new_block(n); }
OPERATOR void *operator new(size_t n, const std::nothrow_t &) noexcept {
  return new_block_nothrow(n);
}
OPERATOR void *operator new[](size_t n, const std::nothrow_t &) noexcept {
  return new_block_nothrow(n);
}
OPERATOR void *operator new(size_t n, std::align_val_t a) { return new_aligned(n, a); }
OPERATOR void *operator new[](size_t n, std::align_val_t a) { return new_aligned(n, a); }
OPERATOR void *operator new(size_t n, std::align_val_t a, const std::nothrow_t &) noexcept {
  return new_aligned_nothrow(n, a);
}
OPERATOR void *operator new[](size_t n, std::align_val_t a, const std::nothrow_t &) noexcept {
  return new_aligned_nothrow(n, a);
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
OPERATOR void operator delete(void *p, size_t n, std::align_val_t) noexcept {
  family::free_aligned_sized(p, n);
}
OPERATOR void operator delete[](void *p, size_t n, std::align_val_t) noexcept {
  family::free_aligned_sized(p, n);
}
