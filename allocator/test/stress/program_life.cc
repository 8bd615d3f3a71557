// program_life.cc - allocation before main, after main, and by threads that outlive it.
//
// Purpose: the allocator must work from the first constructor to the last destructor; nothing of
// its
//   own may be torn down before the program's last call. Exits 0, or says what failed.

#include <cstdlib>
#include <thread>

#include "hakmem/hakmem.h"
#include "support/block.h"

namespace hakmem_test {
namespace {

Block g_early[16];
Block g_handed_to_destructor;

void cycle(uint64_t seed) {
  Rng rng(seed);
  for (int i = 0; i < 200; ++i) {
    Block block = allocate_block(rng, realistic_size(rng), rng.next());
    free_block(rng, block);
  }
}

// Runs among the very first constructors, and its partner among the very last destructors.
[[gnu::constructor(101)]] void before_other_constructors() {
  Rng rng(1);
  hakmem_free(nullptr);
  for (size_t i = 0; i < std::size(g_early); ++i) g_early[i] = allocate_block(rng, i * i * 300, i);
}

[[gnu::destructor(101)]] void after_other_destructors() {
  Rng rng(2);
  for (Block &block : g_early) free_block(rng, block);
  free_block(rng, g_handed_to_destructor);
  cycle(3);
}

struct Static {
  Block block;
  Static() {
    Rng rng(4);
    block = allocate_block(rng, 5'000, 99);
    cycle(5);
  }
  ~Static() {
    Rng rng(6);
    free_block(rng, block);
    cycle(7);
  }
} g_static;

void at_exit() {
  cycle(8);
  // A thread born after main has returned.
  std::thread([] { cycle(9); }).join();
}

}  // namespace
}  // namespace hakmem_test

int main() {
  using namespace hakmem_test;
  std::atexit(at_exit);
  verify_block(g_static.block);
  for (const Block &block : g_early) verify_block(block);
  std::thread([] {
    Rng rng(10);
    g_handed_to_destructor = allocate_block(rng, 123, 123);
  }).join();
  // Still allocating while the destructors run; exit() ends it.
  std::thread([] {
    for (uint64_t seed = 11;; ++seed) cycle(seed);
  }).detach();
  cycle(12);
}
