// malloc_family.cc - the malloc family of a recorded program.
//
// Purpose:    pass each call on to the allocator that the program would have had, and record it.
// Owns:       a small arena for the blocks that the dynamic linker asks for while it looks that allocator
//             up. They are never recorded and never freed.
// Boundary:   preloaded (LD_PRELOAD); links nothing but the C library.
// Invariants: left out of the record: calls that failed, free(NULL), and the arena's blocks. A realloc
//             is two events, because its old block dies before the call and its new one is born after it.
// Threads:    any. The next functions are looked up once, before the program has a second thread.
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "recorder.h"

using hakbench::trace::RawKind;
using hakbench::trace::record;

#define RECORDED extern "C" __attribute__((visibility("default")))

namespace {

struct Next {
  void *(*malloc)(size_t);
  void *(*calloc)(size_t, size_t);
  void *(*realloc)(void *, size_t);
  void (*free)(void *);
  int (*posix_memalign)(void **, size_t, size_t);
  void *(*aligned_alloc)(size_t, size_t);
  void *(*memalign)(size_t, size_t);
  bool ready;
};
Next g_next;
bool g_looks_up;

constexpr size_t kArenaBytes = 64 * 1024;
constexpr size_t kArenaAlignment = 16;
alignas(kArenaAlignment) unsigned char g_arena[kArenaBytes];
size_t g_arena_used;

bool in_arena(const void *block) {
  const auto offset = reinterpret_cast<uintptr_t>(block) - reinterpret_cast<uintptr_t>(g_arena);
  return offset < kArenaBytes;
}

// Zeroed, because it is used once.
void *arena_block(size_t size) {
  const size_t rounded = (size + kArenaAlignment - 1) & ~(kArenaAlignment - 1);
  if (rounded < size || rounded > kArenaBytes - g_arena_used) return nullptr;
  void *block = g_arena + g_arena_used;
  g_arena_used += rounded;
  return block;
}

template <class Function>
void look_up(Function **out, const char *name) {
  *out = reinterpret_cast<Function *>(dlsym(RTLD_NEXT, name));
}

// jemalloc, mimalloc and tcmalloc bring operators new of their own, which call no malloc.
bool has_own_operators() {
  void *const operator_new = dlsym(RTLD_NEXT, "_Znwm");
  Dl_info of_new;
  Dl_info of_malloc;
  return operator_new != nullptr && dladdr(operator_new, &of_new) != 0 &&
         dladdr(reinterpret_cast<void *>(g_next.malloc), &of_malloc) != 0 &&
         of_new.dli_fbase == of_malloc.dli_fbase;
}

// False while the functions are being looked up: then the caller is the dynamic linker itself.
bool find_next() {
  if (g_looks_up) return false;
  g_looks_up = true;
  look_up(&g_next.malloc, "malloc");
  look_up(&g_next.calloc, "calloc");
  look_up(&g_next.realloc, "realloc");
  look_up(&g_next.free, "free");
  look_up(&g_next.posix_memalign, "posix_memalign");
  look_up(&g_next.aligned_alloc, "aligned_alloc");
  look_up(&g_next.memalign, "memalign");
  if (has_own_operators()) hakbench::trace::note_own_operators();
  g_next.ready = true;
  g_looks_up = false;
  return true;
}

bool is_ready() { return g_next.ready || find_next(); }

__attribute__((constructor)) void find_next_at_load() { is_ready(); }

unsigned log2_of(size_t alignment) {
  return alignment == 0 ? 0 : static_cast<unsigned>(__builtin_ctzl(alignment));
}

void *born(RawKind kind, void *block, size_t size, unsigned log2_alignment = 0) {
  if (block != nullptr) record(kind, block, size, log2_alignment);
  return block;
}

size_t page_bytes() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

// An arena block does not know its length: what lies behind it is copied along, up to the arena's end.
void *move_out_of_arena(const void *block, size_t size) {
  void *moved = g_next.malloc(size);
  if (moved == nullptr) return nullptr;
  const size_t room =
      static_cast<size_t>(g_arena + kArenaBytes - static_cast<const unsigned char *>(block));
  memcpy(moved, block, size < room ? size : room);
  return born(RawKind::kMalloc, moved, size);
}

}  // namespace

RECORDED void *malloc(size_t size) {
  if (!is_ready()) return arena_block(size);
  return born(RawKind::kMalloc, g_next.malloc(size), size);
}

RECORDED void *calloc(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  if (!is_ready()) return arena_block(bytes);
  return born(RawKind::kCalloc, g_next.calloc(count, size), bytes);
}

RECORDED void free(void *block) {
  if (block == nullptr || in_arena(block) || !is_ready()) return;
  record(RawKind::kFree, block, 0, 0);
  g_next.free(block);
}

RECORDED void *realloc(void *block, size_t size) {
  if (block == nullptr) return malloc(size);
  if (!is_ready()) return nullptr;
  if (in_arena(block)) return move_out_of_arena(block, size);
  record(RawKind::kReallocBegin, block, size, 0);
  void *moved = g_next.realloc(block, size);
  record(RawKind::kReallocEnd, moved, size, 0);
  return moved;
}

RECORDED void *reallocarray(void *block, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  return realloc(block, bytes);
}

RECORDED int posix_memalign(void **out, size_t alignment, size_t size) {
  if (!is_ready()) return ENOMEM;
  const int code = g_next.posix_memalign(out, alignment, size);
  if (code == 0) born(RawKind::kAligned, *out, size, log2_of(alignment));
  return code;
}

RECORDED void *aligned_alloc(size_t alignment, size_t size) {
  if (!is_ready()) return nullptr;
  return born(RawKind::kAligned, g_next.aligned_alloc(alignment, size), size, log2_of(alignment));
}

RECORDED void *memalign(size_t alignment, size_t size) {
  if (!is_ready()) return nullptr;
  return born(RawKind::kAligned, g_next.memalign(alignment, size), size, log2_of(alignment));
}

RECORDED void *valloc(size_t size) { return memalign(page_bytes(), size); }

RECORDED void *pvalloc(size_t size) {
  const size_t page = page_bytes();
  size_t bytes;
  if (__builtin_add_overflow(size, page - 1, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  bytes &= ~(page - 1);
  return memalign(page, bytes == 0 ? page : bytes);
}

RECORDED void cfree(void *block) { free(block); }
RECORDED void free_sized(void *block, size_t) { free(block); }
RECORDED void free_aligned_sized(void *block, size_t, size_t) { free(block); }
