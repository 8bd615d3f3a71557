// thread_life_test.cc - what threads may do at the edges of their lives, and what they leave
// behind.
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include "hakmem/hakmem.h"
#include "support/block.h"
#include "support/build.h"
#include "support/pattern.h"

namespace hakmem_test {
namespace {

struct Footprint {
  size_t virtual_kb = 0;
  size_t resident_kb = 0;
};

Footprint footprint() {
  Footprint now;
  FILE *file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || std::fscanf(file, "%zu %zu", &now.virtual_kb, &now.resident_kb) != 2)
    ADD_FAILURE() << "cannot read /proc/self/statm";
  if (file != nullptr) std::fclose(file);
  now.virtual_kb *= 4;
  now.resident_kb *= 4;
  return now;
}

void use_allocator(uint64_t seed) {
  Rng rng(seed);
  Block blocks[64];
  for (Block &block : blocks) block = allocate_block(rng, rng.between(0, 5'000), rng.next());
  for (Block &block : blocks) free_block(rng, block);
}

// `threads` threads, four at a time, each of which leaves a block to a thread that comes later.
void churn(int threads, std::vector<Block> &legacy) {
  for (int first = 0; first < threads; first += 4) {
    std::thread running[4];
    for (int i = 0; i < 4; ++i)
      running[i] = std::thread([&legacy, i, seed = static_cast<uint64_t>(first + i)] {
        use_allocator(seed);
        Rng rng(seed);
        Block &inherited = legacy[static_cast<size_t>(i)];
        if (inherited) free_block(rng, inherited);
        inherited = allocate_block(rng, rng.between(1, 3'000), seed);
      });
    for (std::thread &thread : running) thread.join();
  }
}

TEST(ThreadLife, ThousandsComeAndGoWithoutGrowth) {
  std::vector<Block> legacy(4);
  churn(kSanitizer ? 40 : 200, legacy);
  const Footprint before = footprint();
  churn(kSanitizer ? 200 : 2'000, legacy);
  const Footprint after = footprint();
  Rng rng(1);
  for (Block &block : legacy) free_block(rng, block);
  if (kSanitizer) return;  // the sanitizer keeps records of each thread
  // Under load up to four heaps come into use only now, each with caches of its own.
  EXPECT_LT(after.resident_kb, before.resident_kb + 8'192) << "resident memory grows with threads";
  // A heap reserves about 64 MiB; at most as many are made as ever run at once: four and this one.
  EXPECT_LT(after.virtual_kb, before.virtual_kb + 5 * (66 << 10))
      << "address space grows with threads";
}

// 200 threads alive at once, all with blocks, then all gone: the next 200 find their heaps.
TEST(ThreadLife, ManyAtOnceThenNoneThenMany) {
  const int threads = kSanitizer ? 40 : 200;
  for (int wave = 0; wave < 3; ++wave) {
    std::vector<std::thread> running;
    std::atomic<int> arrived{0};
    for (int i = 0; i < threads; ++i)
      running.emplace_back([&arrived, i, threads] {
        Rng rng(static_cast<uint64_t>(i));
        Block held = allocate_block(rng, 1'000, static_cast<uint64_t>(i));
        arrived.fetch_add(1);
        while (arrived.load() < threads) std::this_thread::yield();
        use_allocator(static_cast<uint64_t>(i));
        free_block(rng, held);
      });
    for (std::thread &thread : running) thread.join();
  }
}

std::atomic<int> g_key_destructors{0};

// A block kept in a pthread key: freed, and others allocated, when its thread has already ended and
// the allocator's own thread-exit handler may have run. It sets the key anew, so it is called
// again.
void key_destructor(void *value) {
  static thread_local int calls = 0;
  pthread_key_t key = 0;
  std::memcpy(&key, value, sizeof key);
  hakmem_free(value);
  use_allocator(3);
  g_key_destructors.fetch_add(1);
  if (++calls >= PTHREAD_DESTRUCTOR_ITERATIONS) return;
  void *again = hakmem_malloc(100);
  std::memcpy(again, &key, sizeof key);
  pthread_setspecific(key, again);
}

TEST(ThreadLife, PthreadKeyDestructorsMayAllocateAndFree) {
  pthread_key_t keys[8];
  for (pthread_key_t &key : keys) ASSERT_EQ(pthread_key_create(&key, key_destructor), 0);
  const int threads = 20;
  for (int i = 0; i < threads; ++i)
    std::thread([&keys] {
      for (const pthread_key_t key : keys) {
        void *value = hakmem_malloc(100);
        std::memcpy(value, &key, sizeof key);
        pthread_setspecific(key, value);
      }
      use_allocator(4);
    }).join();
  for (const pthread_key_t key : keys) pthread_key_delete(key);
  EXPECT_GE(g_key_destructors.load(), threads * 8);
}

struct ThreadLocalOwner {
  Block block;
  ThreadLocalOwner() {
    Rng rng(5);
    block = allocate_block(rng, 777, 5);
  }
  ~ThreadLocalOwner() {
    Rng rng(5);
    free_block(rng, block);
    use_allocator(6);
  }
};

TEST(ThreadLife, ThreadLocalDestructorsMayAllocateAndFree) {
  for (int i = 0; i < 20; ++i)
    std::thread([] {
      static thread_local ThreadLocalOwner owner;
      verify_block(owner.block);
      use_allocator(7);
    }).join();
}

// The first call of a thread's life is a free of another thread's block.
TEST(ThreadLife, FirstCallIsAFree) {
  for (const size_t size :
       {size_t{16}, size_t{1'000}, size_t{40'000}, size_t{1} << 20, size_t{9} << 20}) {
    void *block = hakmem_malloc(size);
    std::thread([block] { hakmem_free(block); }).join();
    std::thread([] { hakmem_free(nullptr); }).join();
  }
}

// One thread allocates, another frees, for long: memory goes back to the one that allocates.
TEST(ThreadLife, ProducerAndConsumerDoNotGrow) {
  constexpr size_t kRing = 512;
  const size_t blocks = kSanitizer ? 50'000 : 1'000'000;
  std::vector<std::atomic<void *>> ring(kRing);
  auto transfer = [&](size_t count) {
    std::thread consumer([&] {
      for (size_t i = 0; i < count; ++i) {
        void *block = nullptr;
        while ((block = ring[i % kRing].exchange(nullptr)) == nullptr) std::this_thread::yield();
        hakmem_free(block);
      }
    });
    for (size_t i = 0; i < count; ++i) {
      void *block = hakmem_malloc(16 + i % 1'000);
      ASSERT_NE(block, nullptr);
      static_cast<char *>(block)[0] = 1;
      while (ring[i % kRing].load() != nullptr) std::this_thread::yield();
      ring[i % kRing].store(block);
    }
    consumer.join();
  };
  transfer(blocks / 10);
  const Footprint before = footprint();
  transfer(blocks);
  if (kSanitizer) return;
  EXPECT_LT(footprint().resident_kb, before.resident_kb + 8'192) << "remote frees are not reused";
}

}  // namespace
}  // namespace hakmem_test
