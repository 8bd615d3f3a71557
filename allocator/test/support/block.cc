#include "support/block.h"

#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>

#include "hakmem/hakmem.h"
#include "support/pattern.h"

namespace hakmem_test {
namespace {

uint64_t g_seed = 0;

void check_new(const Block &block, const char *how) {
  if (block.start == nullptr) fail("%s of %zu bytes returned NULL", how, block.size);
  const size_t alignment = block.alignment > 16 ? block.alignment : 16;
  if (reinterpret_cast<uintptr_t>(block.start) % alignment != 0)
    fail("%s of %zu bytes = %p is not aligned to %zu", how, block.size, block.start, alignment);
}

}  // namespace

void set_seed_to_report(uint64_t seed) { g_seed = seed; }

void fail(const char *format, ...) {
  char line[512];
  int length = std::snprintf(line, sizeof line, "FAIL (seed %" PRIu64 "): ", g_seed);
  va_list args;
  va_start(args, format);
  length +=
      std::vsnprintf(line + length, sizeof line - 1 - static_cast<size_t>(length), format, args);
  va_end(args);
  length = std::min<int>(length, sizeof line - 1);
  line[length++] = '\n';
  // Neither stdio nor exit(): this may be a forked child of a threaded program.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line, static_cast<size_t>(length));
  _exit(kExitFailed);
}

Block allocate_block(Rng &rng, size_t size, uint64_t id) {
  Block block{nullptr, size, 0, id};
  switch (rng.below(8)) {
    case 0:
    case 1: {
      block.start = hakmem_calloc(1, size);
      check_new(block, "calloc");
      const size_t dirt = first_nonzero(block.start, size);
      if (dirt != kIntact) fail("calloc of %zu bytes: byte %zu is not zero", size, dirt);
      break;
    }
    case 2:
      block.alignment = size_t{1} << rng.between(0, 13);
      block.start = hakmem_aligned_alloc(block.alignment, size);
      check_new(block, "aligned_alloc");
      break;
    case 3:
      block.alignment = size_t{1} << rng.between(3, 7);
      if (hakmem_posix_memalign(&block.start, block.alignment, size) != 0) block.start = nullptr;
      check_new(block, "posix_memalign");
      break;
    default:
      block.start = hakmem_malloc(size);
      check_new(block, "malloc");
      break;
  }
  fill_pattern(block.start, size, id);
  return block;
}

void resize_block(Block &block, size_t size, uint64_t id) {
  verify_block(block);
  const Block old = block;
  block = Block{hakmem_realloc(old.start, size), size, 0, id};
  check_new(block, "realloc");
  const size_t damage = first_damage(block.start, std::min(old.size, size), old.size, old.id);
  if (damage != kIntact)
    fail("realloc(%p of %zu bytes, %zu) lost byte %zu", old.start, old.size, size, damage);
  fill_pattern(block.start, size, id);
}

void verify_block(const Block &block) {
  const size_t damage = first_damage(block.start, block.size, block.size, block.id);
  if (damage != kIntact)
    fail("block %#" PRIx64 ", %p of %zu bytes: byte %zu changed", block.id, block.start, block.size,
         damage);
}

void free_block(Rng &rng, Block &block) {
  verify_block(block);
  if (rng.one_in(2))
    hakmem_free(block.start);
  else if (block.alignment != 0)
    hakmem_free_aligned_sized(block.start, block.alignment, block.size);
  else
    hakmem_free_sized(block.start, block.size);
  block = Block{};
}

void check_disjoint(std::vector<Block> &blocks) {
  std::sort(blocks.begin(), blocks.end(),
            [](const Block &a, const Block &b) { return a.start < b.start; });
  for (size_t i = 1; i < blocks.size(); ++i) {
    const Block &low = blocks[i - 1];
    const Block &high = blocks[i];
    const auto *low_end =
        static_cast<const unsigned char *>(low.start) + std::max<size_t>(low.size, 1);
    if (low_end > high.start)
      fail("live blocks overlap: %p of %zu bytes and %p of %zu bytes", low.start, low.size,
           high.start, high.size);
  }
}

}  // namespace hakmem_test
