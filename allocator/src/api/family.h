// family.h - the malloc family in terms of the fast and slow paths, once for hakmem_* and for the
// drop-in names of preload/.
//
// Purpose:    the rules of C and POSIX on arguments, results and errno, in one place.
// Boundary:   argument rules and errno live here; no allocation logic.
// Threads:    any.
#ifndef HAKMEM_API_FAMILY_H_
#define HAKMEM_API_FAMILY_H_

#include <cerrno>
#include <cstring>

#include "api/slow_path.h"
#include "hardened/hardened.h"

namespace hakmem::family {

inline void *fail(int error) {
  errno = error;
  return nullptr;
}

inline void *calloc(size_t count, size_t size) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) return fail(ENOMEM);
  if constexpr (kHardened) return hardened::allocate_zeroed(bytes);
  if (bytes <= kMaxSmallBytes) {
    void *block = fast_malloc(bytes);
    return block == nullptr ? nullptr : memset(block, 0, bytes);
  }
  const Big big = allocate_big(bytes, kMinAlign, Contents::kZeroed);
  if (big.block != nullptr && !big.zeroed) memset(big.block, 0, bytes);
  return big.block;
}

// As glibc: realloc(p, 0) frees p and returns NULL.
inline void *realloc(void *block, size_t size) {
  if (block == nullptr) return fast_malloc(size);
  if (size == 0) {
    fast_free(block);
    return nullptr;
  }
  return resize(block, size);
}

inline void *reallocarray(void *block, size_t count, size_t size) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) return fail(ENOMEM);
  return realloc(block, bytes);
}

inline void *aligned_alloc(size_t alignment, size_t size) {
  if (void *block = pop_aligned(alignment, size)) [[likely]]
    return block;
  if (!is_pow2(alignment)) return fail(EINVAL);
  return allocate_aligned(alignment, size);
}

inline int posix_memalign(void **out, size_t alignment, size_t size) {
  if (!is_pow2(alignment) || alignment % sizeof(void *) != 0) return EINVAL;
  void *block = pop_aligned(alignment, size);
  if (block == nullptr) [[unlikely]] {
    const int saved_errno = errno;
    block = allocate_aligned(alignment, size);
    errno = saved_errno;
    if (block == nullptr) return ENOMEM;
  }
  *out = block;
  return 0;
}

inline size_t usable_size(void *block) { return block == nullptr ? 0 : usable_size_of(block); }

inline void free_sized(void *block, size_t size) {
  if (!push_free(block)) [[unlikely]]
    return free_sized_slow(block, size);
}

// Alignment may have asked for a larger class than the size alone: only who knows the size asked
// for can check it.
inline void free_aligned_sized(void *block, size_t size) {
  if constexpr (kHardened) free_checked_size(block, size);
  fast_free(block);
}

}  // namespace hakmem::family

#endif  // HAKMEM_API_FAMILY_H_
