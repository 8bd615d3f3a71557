// beyond_memory.cc - a block that is larger than all memory and swap is refused.
//
// Purpose: the C library refuses it at once (the kernel does, with vm.overcommit_memory=0, its
//   default), and programs count on that: given such a block, and filling it, they would be killed.
//   The refusal costs the program nothing of what it has: no superslab is cut for it, and none begun
//   in its place.
// Boundary: touches none of what it gets.
// Invariants: exit 0 pass, 1 own trouble, 2 hakmem failed, 77 the machine gives whatever is asked
//   for.
#include <sys/mman.h>

#include <cerrno>
#include <cstdio>

#include "hakmem/hakmem.h"
#include "support/block.h"

namespace {

size_t mappings() {
  size_t lines = 0;
  FILE *file = std::fopen("/proc/self/maps", "r");
  for (int c; file != nullptr && (c = std::fgetc(file)) != EOF;) lines += c == '\n';
  if (file != nullptr) std::fclose(file);
  return lines;
}

}  // namespace

int main() {
  using hakmem_test::fail;
  size_t total_kb = 0, swap_kb = 0;
  char line[200];
  FILE *file = std::fopen("/proc/meminfo", "r");
  while (file != nullptr && std::fgets(line, sizeof line, file) != nullptr) {
    std::sscanf(line, "MemTotal: %zu", &total_kb);
    std::sscanf(line, "SwapTotal: %zu", &swap_kb);
  }
  if (file == nullptr || total_kb == 0) {
    std::fprintf(stderr, "hakmem_beyond_memory: /proc/meminfo says nothing\n");
    return 1;
  }
  std::fclose(file);
  const size_t bytes = (total_kb + swap_kb + (1 << 20)) << 10;
  void *plain = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (plain != MAP_FAILED) {
    std::printf("skipped: the kernel refuses nothing here (vm.overcommit_memory)\n");
    return 77;
  }
  errno = 0;
  if (void *block = hakmem_malloc(bytes))
    fail("malloc(%zu) gave %p: more than there is", bytes, block);
  if (errno != ENOMEM) fail("malloc(%zu): errno %d, not ENOMEM", bytes, errno);
  if (hakmem_calloc(bytes / 16, 16) != nullptr) fail("calloc of %zu bytes gave a block", bytes);
  if (hakmem_aligned_alloc(1 << 21, bytes) != nullptr)
    fail("aligned_alloc of %zu bytes gave a block", bytes);
  void *small = hakmem_malloc(100);
  if (hakmem_realloc(small, bytes) != nullptr) fail("realloc to %zu bytes gave a block", bytes);
  hakmem_free(small);
  const size_t before = mappings();
  for (int i = 0; i < 100; ++i) {
    if (hakmem_malloc(bytes) != nullptr) fail("malloc(%zu) gave a block, but not at first", bytes);
    if (hakmem_malloc(60'000) == nullptr) fail("malloc(60000) gave NULL");
  }
  const size_t after = mappings();
  if (after > before + 20) fail("%zu mappings more, for 6 MB", after - before);
  std::printf("ok: %zu MiB are refused\n", bytes >> 20);
}
