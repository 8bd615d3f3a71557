// fork_huge.cc - a program whose blocks are all above 4 MiB forks while another thread allocates.
//
// Purpose: such a program never gets a heap, and its forks take every lock all the same: a child of
//   one that does not waits for ever.
// Boundary: hakmem's public API; a child that is not done after ten seconds is killed.
// Invariants: exit 0 pass, 1 own trouble, 2 a child did not end well.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "hakmem/hakmem.h"

namespace {

constexpr size_t kBytes = size_t{8} << 20;
constexpr int kForks = 300;
constexpr unsigned kPatienceSeconds = 10;

void use_allocator() { hakmem_free(hakmem_malloc(kBytes)); }

}  // namespace

int main() {
  hakmem_configure("HAKMEM_HUGE_CACHE_PERCENT", "0");  // each call goes to the kernel
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) use_allocator();
  });
  int failed = 0;
  for (int i = 0; i < kForks && failed == 0; ++i) {
    const pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) {
      alarm(kPatienceSeconds);
      use_allocator();
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) failed = i + 1;
  }
  done = true;
  other.join();
  if (failed == 0) return 0;
  fprintf(stderr, "the child of fork %d did not end well\n", failed);
  return 2;
}
