// refused_calls.cc - hakmem_refused_calls madvise|mremap|populate|free: the allocator where a
// sandbox forbids a call, or an older kernel does not know it.
//
// Purpose: under a seccomp filter that answers EPERM to one system call (EINVAL to the advice
//   MADV_POPULATE_WRITE or MADV_FREE, as kernels before 5.14 and 4.5), with every setting that
//   decides what happens to free pages: contents kept, calloc zero, huge blocks resized, errno kept
//   by free, threads started and ended, memory used again.
// Boundary: sets the filter, then executes itself, so that even start-up happens under it.
// Invariants: exit 0 pass, 1 own trouble, 2 hakmem failed, 77 no filter can be set here.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "hakmem/hakmem.h"
#include "support/block.h"
#include "support/pattern.h"
#include "support/resident.h"

namespace hakmem_test {
namespace {

constexpr int kExitSkipped = 77;
constexpr int kErrnoMark = 7777;
constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, which older headers do not have
constexpr size_t kMiB = size_t{1} << 20;

// The advice that alone is refused; 0: all of the call.
int refused_advice(const std::string &call) {
  return call == "populate" ? kPopulateWrite : call == "free" ? MADV_FREE : 0;
}

// Refuses the call from now on, in programs executed later too.
bool forbid(const std::string &call) {
  const auto advice = static_cast<unsigned>(refused_advice(call));
  const bool by_advice = advice != 0;
  const uint8_t skip_others = by_advice ? 1 : 0;
  const unsigned number = call == "mremap" ? SYS_mremap : SYS_madvise;
  const unsigned error = by_advice ? EINVAL : EPERM;
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, advice, 0, skip_others),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{sizeof program / sizeof program[0], program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// The test proves nothing if the call works.
void expect_forbidden(const std::string &call) {
  void *page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  errno = 0;
  const bool refused = call == "mremap"    ? mremap(page, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED
                       : call == "madvise" ? madvise(page, 4096, MADV_DONTNEED) != 0
                                           : madvise(page, 4096, refused_advice(call)) != 0;
  if (!refused || errno != (refused_advice(call) != 0 ? EINVAL : EPERM)) {
    fail("%s is not forbidden", call.c_str());
  }
  munmap(page, 4096);
}

void configure(const char *name, const char *value) {
  if (hakmem_configure(name, value) != 0) fail("hakmem_configure(%s, %s)", name, value);
}

// Many sizes, freed in another order than they came, with free pages offered to the kernel between.
void use_allocator(uint64_t seed) {
  Rng rng(seed);
  std::vector<Block> blocks(400);
  for (int round = 0; round < 12; ++round) {
    for (Block &block : blocks) {
      if (block && rng.one_in(2)) {
        free_block(rng, block);
      } else if (block) {
        resize_block(block, realistic_size(rng) + 1, rng.next());  // 0 would free it
      } else {
        block = allocate_block(rng, realistic_size(rng), rng.next());
      }
    }
    if (round % 4 == 3) {
      for (Block &block : blocks)
        if (block) free_block(rng, block);
      hakmem_purge(HAKMEM_PURGE_ALL);
    }
  }
}

void expect_errno_kept() {
  std::vector<void *> blocks;
  for (const size_t size : {size_t{100}, size_t{4'000}, size_t{100'000}, kMiB, 9 * kMiB})
    for (size_t got = 0; got < 36 * kMiB; got += size) {
      blocks.push_back(hakmem_malloc(size));
      std::memset(blocks.back(), 1, size < 4'096 ? size : 4'096);
    }
  errno = kErrnoMark;
  for (void *block : blocks) hakmem_free(block);
  hakmem_purge(HAKMEM_PURGE_ALL);
  if (errno != kErrnoMark) fail("free or purge set errno to %d", errno);
}

// Huge blocks up and down: the mapping cannot be moved or grown by mremap, or not advised.
void resize_huge_blocks() {
  Block block;
  Rng rng(1);
  block = allocate_block(rng, 5 * kMiB, 1);
  Block neighbour = allocate_block(rng, 5 * kMiB, 2);
  for (const size_t mib : {6, 40, 41, 7, 100, 33, 5, 64, 1, 9}) {
    errno = kErrnoMark;
    resize_block(block, mib * kMiB, mib);
    if (errno != kErrnoMark) fail("realloc to %zu MiB set errno to %d", mib, errno);
  }
  free_block(rng, neighbour);
  free_block(rng, block);
}

// The pages are touched one by one instead.
void expect_warm_pool() {
  const size_t before = resident_bytes();
  configure("HAKMEM_SS_WARM_POOL_KB", "1024");
  hakmem_free(hakmem_malloc(1));  // the first block makes the heap, and the pool with it
  const size_t grown = resident_bytes() - before;
  if (grown < kMiB) fail("the warm pool made %zu bytes resident, not 1 MiB", grown);
}

// What other kernels are only offered.
void expect_given_back() {
  configure("HAKMEM_SS_MEM_LEAN_MODE", "free");
  std::vector<void *> blocks(1024);
  for (void *&block : blocks) {
    block = hakmem_malloc(kMiB / 8);
    std::memset(block, 1, kMiB / 8);
  }
  const size_t before = resident_bytes();
  for (void *block : blocks) hakmem_free(block);
  const size_t after = resident_bytes();
  if (after + 64 * kMiB > before) fail("of 128 MiB freed, RSS went from %zu to %zu", before, after);
}

void live_without(const std::string &call) {
  expect_forbidden(call);
  if (call == "populate") expect_warm_pool();
  if (call == "free") expect_given_back();
  configure("HAKMEM_SS_WARM_POOL_KB", "1024");
  const char *const settings[][3] = {
      {"250", "0", "0"}, {"0", "0", "0"}, {"0", "1", "0"}, {"0", "1", "1"}, {"0", "1", "2"}};
  uint64_t seed = 1;
  for (const auto &[delay_ms, lean, lean_mode] : settings) {
    configure("HAKMEM_PURGE_DELAY_MS", delay_ms);
    configure("HAKMEM_SS_MEM_LEAN", lean);
    configure("HAKMEM_SS_MEM_LEAN_MODE", lean_mode);
    configure("HAKMEM_HUGE_PAGE_THRESHOLD_MB", "0");
    use_allocator(seed++);
    expect_errno_kept();
    resize_huge_blocks();
    std::thread threads[3];
    for (std::thread &thread : threads) thread = std::thread(use_allocator, seed++);
    for (std::thread &thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace hakmem_test

int main(int argc, char **argv) {
  using namespace hakmem_test;
  const std::string call = argc == 2 || argc == 3 ? argv[argc - 1] : "";
  if (call != "madvise" && call != "mremap" && refused_advice(call) == 0) {
    std::fprintf(stderr, "usage: hakmem_refused_calls madvise|mremap|populate|free\n");
    return 1;
  }
  if (argc == 3) {
    live_without(call);
    std::printf("ok: without %s\n", call.c_str());
    return 0;
  }
  if (!forbid(call)) {
    std::printf("skipped: no seccomp filter can be set here: %s\n", std::strerror(errno));
    return kExitSkipped;
  }
  execl(argv[0], argv[0], "--run", call.c_str(), nullptr);
  std::fprintf(stderr, "hakmem_refused_calls: exec of itself: %s\n", std::strerror(errno));
  return 1;
}
