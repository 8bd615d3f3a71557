// many_threads.cc - hakmem_many_threads THREADS MIB [address-space]: more threads than have room
// for a whole heap.
//
// Purpose: a thread's heap maps 64 MiB (hardly any of it touched). If all of it counted against
//   RLIMIT_DATA and, with vm.overcommit_memory = 2, against the commit limit, a few threads would
//   leave no room for the rest. All must work, and free each other's blocks. All of it does count
//   against RLIMIT_AS: under that (address-space), half of the limit must be left for blocks.
// Boundary: RLIMIT_DATA, or RLIMIT_AS, is set before the allocator's first call.
// Invariants: exit 0 pass, 1 own trouble, 2 hakmem failed.
#include <pthread.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "hakmem/hakmem.h"
#include "support/block.h"

namespace hakmem_test {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr int kMaxThreads = 1'024;
constexpr int kBlocks = 64;

int g_threads = 0;
pthread_barrier_t g_barrier;
// What each thread leaves to the next one.
Block g_legacy[kMaxThreads][kBlocks];

void *run(void *argument) {
  const auto self = reinterpret_cast<uintptr_t>(argument);
  Rng rng(self);
  for (int round = 0; round < 4; ++round) {
    for (Block &block : g_legacy[self])
      block = allocate_block(rng, rng.between(0, 200), rng.next());
    pthread_barrier_wait(&g_barrier);
    for (Block &block : g_legacy[(self + 1) % g_threads]) free_block(rng, block);
    pthread_barrier_wait(&g_barrier);
  }
  Block large = allocate_block(rng, 100'000, 1);
  resize_block(large, 300'000, 2);
  free_block(rng, large);
  return nullptr;
}

void start_and_join() {
  // Not the C++ library: its threads would be allocated by the C library's malloc.
  static pthread_t threads[kMaxThreads];
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 128 << 10);
  pthread_barrier_init(&g_barrier, nullptr, static_cast<unsigned>(g_threads));
  for (int i = 0; i < g_threads; ++i) {
    if (pthread_create(&threads[i], &attributes, run, reinterpret_cast<void *>(intptr_t{i})) != 0) {
      std::fprintf(stderr, "hakmem_many_threads: thread %d cannot start\n", i);
      std::_Exit(1);
    }
  }
  for (int i = 0; i < g_threads; ++i) pthread_join(threads[i], nullptr);
}

void expect_room(size_t bytes) {
  static void *blocks[4'096];
  size_t got = 0;
  while (got * kMiB < bytes && (blocks[got] = hakmem_malloc(kMiB)) != nullptr) ++got;
  for (size_t i = 0; i < got; ++i) hakmem_free(blocks[i]);
  if (got * kMiB < bytes) fail("only %zu of %zu MiB are left for blocks", got, bytes / kMiB);
}

}  // namespace
}  // namespace hakmem_test

int main(int argc, char **argv) {
  using namespace hakmem_test;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const bool address_space = argc == 4 && std::strcmp(argv[3], "address-space") == 0;
  g_threads = argc == 3 || address_space ? std::atoi(argv[1]) : 0;
  if (g_threads < 1 || g_threads > kMaxThreads) {
    std::fprintf(stderr, "usage: hakmem_many_threads THREADS MIB [address-space]\n");
    return 1;
  }
  const size_t bytes = std::strtoul(argv[2], nullptr, 10) * kMiB;
  const rlimit limit{bytes, bytes};
  if (setrlimit(address_space ? RLIMIT_AS : RLIMIT_DATA, &limit) != 0) {
    std::fprintf(stderr, "hakmem_many_threads: setrlimit: %s\n", std::strerror(errno));
    return 1;
  }
  start_and_join();
  start_and_join();  // on the heaps that the first ones left
  if (address_space) expect_room(bytes / 2);
  std::printf("ok: %d threads within %zu MiB\n", g_threads, bytes / kMiB);
}
