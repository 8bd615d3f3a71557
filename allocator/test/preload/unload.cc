// unload.cc - hakmem_unload LIBRARY: libhakmem.so opened and closed by a program that does not know
// it.
//
// Purpose: blocks, a heap and a thread-exit hook outlive dlclose: a thread that used the library
//   ends after it was closed, blocks are freed by functions found before, and it can be opened
//   again.
// Invariants: exit 0 pass, 1 own trouble, 2 hakmem failed.
#include <dlfcn.h>
#include <pthread.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct Api {
  void *library;
  void *(*allocate)(size_t);
  void (*release)(void *);
  size_t (*usable)(void *);
};

Api open(const char *path) {
  Api api{dlopen(path, RTLD_NOW | RTLD_LOCAL), nullptr, nullptr, nullptr};
  if (api.library != nullptr) {
    api.allocate = reinterpret_cast<void *(*)(size_t)>(dlsym(api.library, "hakmem_malloc"));
    api.release = reinterpret_cast<void (*)(void *)>(dlsym(api.library, "hakmem_free"));
    api.usable = reinterpret_cast<size_t (*)(void *)>(dlsym(api.library, "hakmem_usable_size"));
  }
  if (api.allocate == nullptr || api.release == nullptr || api.usable == nullptr) {
    std::fprintf(stderr, "hakmem_unload: %s\n", dlerror());
    std::exit(1);
  }
  return api;
}

struct Worker {
  Api api;
  pthread_barrier_t opened, closed;
  void *block;
};

void *run(void *argument) {
  auto *worker = static_cast<Worker *>(argument);
  void *own = worker->api.allocate(1'000);
  worker->block = worker->api.allocate(200);
  std::memset(worker->block, 7, 200);
  pthread_barrier_wait(&worker->opened);
  pthread_barrier_wait(&worker->closed);
  worker->api.release(own);
  return nullptr;  // here the allocator's hook runs
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: hakmem_unload LIBRARY\n");
    return 1;
  }
  for (int round = 0; round < 10; ++round) {
    Worker worker{open(argv[1]), {}, {}, nullptr};
    pthread_barrier_init(&worker.opened, nullptr, 2);
    pthread_barrier_init(&worker.closed, nullptr, 2);
    pthread_t thread;
    if (pthread_create(&thread, nullptr, run, &worker) != 0) return 1;
    pthread_barrier_wait(&worker.opened);
    void *mine = worker.api.allocate(5'000'000);
    dlclose(worker.api.library);
    pthread_barrier_wait(&worker.closed);
    pthread_join(thread, nullptr);
    // The block of a thread that is gone, out of a library that was closed.
    const auto *bytes = static_cast<const unsigned char *>(worker.block);
    for (int i = 0; i < 200; ++i) {
      if (bytes[i] == 7) continue;
      std::fprintf(stderr, "byte %d of a block changed when the library was closed\n", i);
      return 2;
    }
    if (worker.api.usable(mine) < 5'000'000) return 2;
    worker.api.release(mine);
    worker.api.release(worker.block);
  }
  std::puts("ok: opened and closed ten times");
}
