// burst.cc - hakmem_burst KIND MIB: a burst is freed, and the program goes on with a little work.
//
// Purpose: resident memory must fall to the live set (its pages and a tenth more) plus 4 MiB within
//   2 s of ordinary malloc traffic, which by itself never leaves the thread's magazines; and at once
//   when the program calls hakmem_purge. KIND is what the burst is made of: small, mixed, large,
//   huge, or scattered (mixed, of which every hundredth block lives on).
// Boundary: one thread; RSS is what the kernel says, against what it was before the burst.
// Invariants: exit 0 pass, 1 own trouble, 2 hakmem failed.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "hakmem/hakmem.h"
#include "support/resident.h"
#include "support/rng.h"

namespace hakmem_test {
namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;
constexpr size_t kPageBytes = 4096;
constexpr size_t kSlackBytes = 4 * kMiB;
constexpr double kSeconds = 2;
constexpr size_t kWorkingSet = 400;
constexpr size_t kKeepOneOf = 100;

struct Kind {
  const char *name;
  size_t max_bytes;
  bool scattered;
};
constexpr Kind kKinds[] = {{"small", 1 * kKiB, false},
                           {"mixed", 16 * kKiB, false},
                           {"large", 200 * kKiB, false},
                           {"huge", 64 * kMiB, false},
                           {"scattered", 16 * kKiB, true}};

double now_s() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// Ordinary traffic: random_mixed over a small working set, with pauses, about a third of a CPU.
class Traffic {
 public:
  void run_for_a_moment() {
    for (int i = 0; i < 2000; ++i) {
      void *&slot = slots_[rng_.below(kWorkingSet)];
      if (slot != nullptr) {
        hakmem_free(slot);
        slot = nullptr;
      } else {
        slot = hakmem_malloc(16 + rng_.below(kKiB));
        *static_cast<volatile char *>(slot) = 1;
      }
    }
    usleep(100);
  }

 private:
  void *slots_[kWorkingSet] = {};
  Rng rng_{7};
};

int run(const Kind &kind, size_t burst_bytes) {
  const size_t slots = burst_bytes / (kind.max_bytes / 2) * 2;
  auto **blocks = static_cast<void **>(mmap(nullptr, slots * sizeof(void *), PROT_READ | PROT_WRITE,
                                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (blocks == MAP_FAILED) return 1;
  memset(blocks, 0, slots * sizeof(void *));  // resident before the burst
  Traffic traffic;
  for (int i = 0; i < 100; ++i) traffic.run_for_a_moment();
  const size_t before = resident_bytes();

  Rng rng{1};
  size_t count = 0, allocated = 0, live = 0;
  for (size_t n = 0; allocated < burst_bytes && count < slots; ++n) {
    const size_t bytes = 16 + rng.below(kind.max_bytes);
    void *block = hakmem_malloc(bytes);
    memset(block, 1, bytes);
    allocated += bytes;
    if (kind.scattered && n % kKeepOneOf == 0) {
      live += bytes + kPageBytes;  // a block begins within a page and ends within another
    } else {
      blocks[count++] = block;
    }
  }
  const size_t peak = resident_bytes();
  for (size_t i = count; i-- > 1;) {
    const size_t j = rng.below(i + 1);
    void *swap = blocks[i];
    blocks[i] = blocks[j];
    blocks[j] = swap;
  }
  for (size_t i = 0; i < count; ++i) hakmem_free(blocks[i]);

  const double end = now_s() + kSeconds;
  while (now_s() < end) traffic.run_for_a_moment();
  const size_t after = resident_bytes();
  hakmem_purge(HAKMEM_PURGE_ALL);
  const size_t purged = resident_bytes();
  const size_t most = before + live + live / 10 + kSlackBytes;
  printf("%s: RSS %zu kB, peak %zu kB, after %g s %zu kB, after purge %zu kB; at most %zu kB\n",
         kind.name, before / kKiB, peak / kKiB, kSeconds, after / kKiB, purged / kKiB, most / kKiB);
  if (peak < before + burst_bytes / 2) return 1;
  return after <= most && purged <= most ? 0 : 2;
}

}  // namespace
}  // namespace hakmem_test

int main(int argc, char **argv) {
  for (const auto &kind : hakmem_test::kKinds) {
    if (argc == 3 && strcmp(argv[1], kind.name) == 0) {
      return hakmem_test::run(kind, strtoull(argv[2], nullptr, 10) * hakmem_test::kMiB);
    }
  }
  fprintf(stderr, "usage: hakmem_burst small|mixed|large|huge|scattered MIB\n");
  return 1;
}
