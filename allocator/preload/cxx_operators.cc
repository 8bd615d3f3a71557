// cxx_operators.cc - every replaceable operator new and delete.
//
// Boundary:   each is malloc's or free's fast path, or one call; what happens when there is no
//             memory is new_failed.cc's. A program may bring some of them and leave the others to
//             us. What the standard says to call another one then calls the program's, or its
//             blocks would come here and ours go there; but for plain new[] and delete[], which get
//             along with each other.
#include <cstdlib>
#include <new>

#include "api/family.h"
#include "new_failed.h"

using namespace hakmem;

// Weak, so that a program that brings some of them can take the others out of libhakmem.a: the
// linker would find them defined twice.
#define OPERATOR __attribute__((visibility("default"), weak))

namespace {

// Out of libhakmem.a the linker takes what is asked for only: who takes the operators takes the
// malloc family along, so that all blocks of the program come from one allocator.
[[gnu::used]] void *(*const g_malloc_too)(size_t) = malloc;

// The forms that others call, as they are below, with the attributes that these have.
#define OWN_NEW(name) [[gnu::alias(name), gnu::malloc, gnu::alloc_size(1)]]
OWN_NEW("_Znwm") void *own_new(size_t);
OWN_NEW("_Znam") void *own_new_array(size_t);
OWN_NEW("_ZnwmSt11align_val_t") void *own_new_aligned(size_t, std::align_val_t);
OWN_NEW("_ZnamSt11align_val_t") void *own_new_array_aligned(size_t, std::align_val_t);
[[gnu::alias("_ZdlPv")]] void own_delete(void *) noexcept;
[[gnu::alias("_ZdaPv")]] void own_delete_array(void *) noexcept;
[[gnu::alias("_ZdlPvSt11align_val_t")]] void own_delete_aligned(void *, std::align_val_t) noexcept;
[[gnu::alias("_ZdaPvSt11align_val_t")]] void own_delete_array_aligned(void *,
                                                                      std::align_val_t) noexcept;

// Whether the program has put its own in the place of one: `found` is what the dynamic linker has.
template <class F>
inline bool replaced(F *found, F *own) {
  return __builtin_expect(found != own, 0);
}

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
  if (replaced(operator new, own_new)) return call_nothrow(operator new, n);
  return new_block_nothrow(n);
}
OPERATOR void *operator new[](size_t n, const std::nothrow_t &) noexcept {
  if (replaced(operator new[], own_new_array)) return call_nothrow(operator new[], n);
  return new_block_nothrow(n);
}
OPERATOR void *operator new(size_t n, std::align_val_t a) { return new_aligned(n, a); }
OPERATOR void *operator new[](size_t n, std::align_val_t a) { return new_aligned(n, a); }
OPERATOR void *operator new(size_t n, std::align_val_t a, const std::nothrow_t &) noexcept {
  if (replaced(operator new, own_new_aligned)) return call_nothrow(operator new, n, a);
  return new_aligned_nothrow(n, a);
}
OPERATOR void *operator new[](size_t n, std::align_val_t a, const std::nothrow_t &) noexcept {
  if (replaced(operator new[], own_new_array_aligned)) return call_nothrow(operator new[], n, a);
  return new_aligned_nothrow(n, a);
}

OPERATOR void operator delete(void *p) noexcept { fast_free(p); }
OPERATOR void operator delete[](void *p) noexcept { fast_free(p); }
OPERATOR void operator delete(void *p, const std::nothrow_t &) noexcept {
  if (replaced(operator delete, own_delete)) return operator delete(p);
  fast_free(p);
}
OPERATOR void operator delete[](void *p, const std::nothrow_t &) noexcept {
  if (replaced(operator delete[], own_delete_array)) return operator delete[](p);
  fast_free(p);
}
OPERATOR void operator delete(void *p, size_t n) noexcept {
  if (replaced(operator delete, own_delete)) return operator delete(p);
  family::free_sized(p, n);
}
OPERATOR void operator delete[](void *p, size_t n) noexcept {
  if (replaced(operator delete[], own_delete_array)) return operator delete[](p);
  family::free_sized(p, n);
}
OPERATOR void operator delete(void *p, std::align_val_t) noexcept { fast_free(p); }
OPERATOR void operator delete[](void *p, std::align_val_t) noexcept { fast_free(p); }
OPERATOR void operator delete(void *p, std::align_val_t a, const std::nothrow_t &) noexcept {
  if (replaced(operator delete, own_delete_aligned)) return operator delete(p, a);
  fast_free(p);
}
OPERATOR void operator delete[](void *p, std::align_val_t a, const std::nothrow_t &) noexcept {
  if (replaced(operator delete[], own_delete_array_aligned)) return operator delete[](p, a);
  fast_free(p);
}
OPERATOR void operator delete(void *p, size_t n, std::align_val_t a) noexcept {
  if (replaced(operator delete, own_delete_aligned)) return operator delete(p, a);
  family::free_aligned_sized(p, n);
}
OPERATOR void operator delete[](void *p, size_t n, std::align_val_t a) noexcept {
  if (replaced(operator delete[], own_delete_array_aligned)) return operator delete[](p, a);
  family::free_aligned_sized(p, n);
}
