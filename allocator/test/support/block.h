// block.h - a patterned block of the threaded tests, and what happens when it is found damaged.
//
// Purpose: allocate in every way hakmem offers, fill, verify, free. Failure is one line with the
// seed,
//   then exit code 2, at once: other threads may be using the memory in question.
// Boundary: hakmem's public API.
// Threads: a block belongs to one thread at a time; whoever passes it on synchronises.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/rng.h"

namespace hakmem_test {

// A failed check's exit code; 1 is for the test's own trouble.
inline constexpr int kExitFailed = 2;

// Printed with each failure, so that the run can be repeated. Set before threads start.
void set_seed_to_report(uint64_t seed);

// Prints "FAIL (seed N): ..." on stderr and ends the process with kExitFailed.
[[gnu::format(printf, 1, 2), noreturn]] void fail(const char *format, ...);

struct Block {
  void *start = nullptr;
  size_t size = 0;       // bytes asked for, all of them filled
  size_t alignment = 0;  // asked for, or 0
  uint64_t id = 0;       // unique in the process

  explicit operator bool() const { return start != nullptr; }
};

// malloc, calloc, aligned_alloc or posix_memalign of `size` bytes, as `rng` says; checks what it
// got.
Block allocate_block(Rng &rng, size_t size, uint64_t id);
// Verifies, changes its size, checks that the contents were kept.
void resize_block(Block &block, size_t size, uint64_t id);
void verify_block(const Block &block);
// Verifies and frees with one of the free functions; leaves `block` empty.
void free_block(Rng &rng, Block &block);

// Fails if any two of these blocks share a byte. Sorts its argument.
void check_disjoint(std::vector<Block> &blocks);

}  // namespace hakmem_test
