// swarm.cc - hakmem_swarm THREADS: as many threads at a time as a process can have without hakmem.
//
// Purpose: the kernel limits the number of a process's mappings (vm.max_map_count, 65530 by
//   default), and a thread's stack takes two. What a thread's heap takes must leave room for them,
//   and for blocks.
// Invariants: exit 0 pass, 1 own trouble, 2 hakmem failed, 77 the machine has no room for so many
//   threads.
#include <pthread.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "hakmem/hakmem.h"
#include "support/block.h"

namespace hakmem_test {
namespace {

constexpr size_t kMostThreads = 30'000;

pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t g_may_end = PTHREAD_COND_INITIALIZER;
bool g_end = false;
void *g_blocks[kMostThreads];

void *run(void *argument) {
  const auto self = reinterpret_cast<uintptr_t>(argument);
  g_blocks[self] = hakmem_malloc(100);
  void *own = hakmem_malloc(3'000);
  if (g_blocks[self] == nullptr || own == nullptr) fail("thread %zu: malloc gave NULL", self);
  std::memset(own, 1, 3'000);
  pthread_mutex_lock(&g_mutex);
  while (!g_end) pthread_cond_wait(&g_may_end, &g_mutex);
  pthread_mutex_unlock(&g_mutex);
  hakmem_free(own);
  return nullptr;
}

size_t number_in(const char *path) {
  size_t number = 0;
  FILE *file = std::fopen(path, "r");
  if (file != nullptr && std::fscanf(file, "%zu", &number) != 1) number = 0;
  if (file != nullptr) std::fclose(file);
  return number;
}

size_t mappings() {
  size_t lines = 0;
  FILE *file = std::fopen("/proc/self/maps", "r");
  for (int c; file != nullptr && (c = std::fgetc(file)) != EOF;) lines += c == '\n';
  if (file != nullptr) std::fclose(file);
  return lines;
}

int swarm(size_t threads) {
  static pthread_t started[kMostThreads];
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64 << 10);
  size_t count = 0;
  while (count < threads &&
         pthread_create(&started[count], &attributes, run, reinterpret_cast<void *>(count)) == 0)
    ++count;
  const size_t in_use = mappings();
  std::printf("%zu threads, %zu mappings\n", count, in_use);
  if (count < threads && in_use + 100 > number_in("/proc/sys/vm/max_map_count"))
    fail("no thread starts behind %zu: the process has %zu mappings", count, in_use);
  if (void *large = hakmem_malloc(40 << 20)) {
    hakmem_free(large);
  } else {
    fail("no large block beside %zu threads", count);
  }
  pthread_mutex_lock(&g_mutex);
  g_end = true;
  pthread_cond_broadcast(&g_may_end);
  pthread_mutex_unlock(&g_mutex);
  for (size_t i = 0; i < count; ++i) pthread_join(started[i], nullptr);
  for (size_t i = 0; i < count; ++i) hakmem_free(g_blocks[i]);
  if (count == threads) return 0;
  std::printf("skipped: only %zu threads can be started here\n", count);
  return 77;
}

}  // namespace
}  // namespace hakmem_test

int main(int argc, char **argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const size_t threads = argc == 2 ? std::strtoul(argv[1], nullptr, 10) : 0;
  if (threads == 0 || threads > hakmem_test::kMostThreads) {
    std::fprintf(stderr, "usage: hakmem_swarm THREADS\n");
    return 1;
  }
  return hakmem_test::swarm(threads);
}
