#include "micro_cases.h"

#include <benchmark/benchmark.h>

#include <atomic>
#include <bit>
#include <chrono>
#include <functional>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "workload/kit.h"

namespace hakbench {
namespace {

constexpr size_t kSizes[] = {16, 32, 64, 128, 256, 512, 1024, 4096, 16384, 65536, 262144, 1 << 20};
constexpr size_t kBatch = 1000;
constexpr size_t kFirstReallocBytes = 16;

// The C library's functions are compiler built-ins, these pointers are not: nothing is elided. The
// block is touched as every workload does.
void touch(void *block) { *static_cast<volatile unsigned char *>(block) = 1; }

// Ends the benchmark with its reason instead of measuring failed calls.
bool refused(benchmark::State &state, const void *block) {
  if (block != nullptr) return false;
  state.SkipWithError("the allocator returned NULL");
  return true;
}

void add(const std::string &name, const std::function<void(benchmark::State &)> &body) {
  benchmark::RegisterBenchmark(name.c_str(), body);
}

template <class Allocate>
void add_pair(const std::string &name, const allocator_plugin &table, Allocate allocate) {
  add(name, [free_fn = table.free, allocate](benchmark::State &state) {
    for (auto _ : state) {
      void *const block = allocate();
      if (refused(state, block)) break;
      touch(block);
      free_fn(block);
    }
  });
}

void add_pairs(const allocator_plugin &table) {
  for (const size_t size : kSizes) {
    const std::string suffix = "/size:" + std::to_string(size);
    add_pair("malloc_free" + suffix, table, [f = table.malloc, size] { return f(size); });
    if (table.calloc != nullptr)
      add_pair("calloc_free" + suffix, table, [f = table.calloc, size] { return f(1, size); });
  }
  if (table.aligned_alloc == nullptr) return;
  for (size_t alignment = 32; alignment <= 4096; alignment *= 2)
    add_pair("aligned_free/align:" + std::to_string(alignment), table,
             [f = table.aligned_alloc, alignment] { return f(alignment, alignment); });
}

bool fill(benchmark::State &state, void *(*malloc_fn)(size_t), size_t size, void **blocks) {
  for (size_t i = 0; i < kBatch; ++i) {
    blocks[i] = malloc_fn(size);
    if (!refused(state, blocks[i])) {
      touch(blocks[i]);
      continue;
    }
    return false;  // what was got is not given back
  }
  return true;
}

// Allocates kBatch blocks, then frees them in the given order; one iteration is one block.
void add_batch(const allocator_plugin &table, const char *order_name, size_t size,
               const std::vector<uint32_t> &order) {
  add(std::string("batch_") + order_name + "/size:" + std::to_string(size),
      [malloc_fn = table.malloc, free_fn = table.free, size, order](benchmark::State &state) {
        MappedArray<void *> blocks;
        if (!blocks.map(kBatch)) return state.SkipWithError("no memory for the batch");
        while (state.KeepRunningBatch(kBatch)) {
          if (!fill(state, malloc_fn, size, blocks.data())) break;
          for (const uint32_t i : order) free_fn(blocks[i]);
        }
      });
}

void add_batches(const allocator_plugin &table) {
  std::vector<uint32_t> fifo(kBatch);
  std::iota(fifo.begin(), fifo.end(), 0);
  const std::vector<uint32_t> lifo(fifo.rbegin(), fifo.rend());
  std::vector<uint32_t> shuffled = fifo;
  SplitMix random(1);
  for (uint32_t i = kBatch - 1; i > 0; --i)
    std::swap(shuffled[i], shuffled[SplitMix::slot(random.next(), i + 1)]);
  for (const size_t size : {16, 64, 256, 1024}) {
    add_batch(table, "lifo", size, lifo);
    add_batch(table, "fifo", size, fifo);
    add_batch(table, "shuffled", size, shuffled);
  }
}

// A helper thread allocates kBatch blocks, this thread frees them; only the frees are timed.
void remote_free(benchmark::State &state, const allocator_plugin &table, size_t size) {
  MappedArray<void *> blocks;
  if (!blocks.map(kBatch)) return state.SkipWithError("no memory for the batch");
  enum : int { kWanted, kReady, kFailed, kOver };
  std::atomic<int> stage = kReady;
  std::thread helper([&] {
    if (table.thread_begin != nullptr) table.thread_begin();
    for (int seen = kReady; seen != kOver;) {
      stage.wait(seen);  // acquire: the batch was freed
      seen = stage.load();
      if (seen != kWanted) continue;
      bool all = true;
      for (size_t i = 0; i < kBatch && all; ++i) {
        blocks[i] = table.malloc(size);
        all = blocks[i] != nullptr;
        if (all) touch(blocks[i]);
      }
      seen = all ? kReady : kFailed;
      stage.store(seen);  // release: publishes the batch
      stage.notify_all();
    }
    if (table.thread_end != nullptr) table.thread_end();
  });
  const auto set = [&](int value) {
    stage.store(value);
    stage.notify_all();
  };
  while (state.KeepRunningBatch(kBatch)) {
    set(kWanted);
    stage.wait(kWanted);
    if (stage.load() == kFailed) {
      state.SkipWithError("the allocator returned NULL");
      break;
    }
    const auto start = std::chrono::steady_clock::now();
    for (size_t i = 0; i < kBatch; ++i) table.free(blocks[i]);
    const std::chrono::duration<double> took_s = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(took_s.count());
  }
  set(kOver);
  helper.join();
}

void add_remote_frees(const allocator_plugin &table) {
  for (const size_t size : {16, 64, 256, 1024}) {
    const std::string name = "remote_free/size:" + std::to_string(size);
    benchmark::RegisterBenchmark(name.c_str(), [&table, size](benchmark::State &state) {
      remote_free(state, table, size);
    })->UseManualTime();
  }
}

// A buffer doubles from 16 bytes to `last`, then begins anew; one iteration is one realloc. The malloc and
// free of each life are in it.
void add_realloc(const allocator_plugin &table, size_t last) {
  add("realloc_double/to:" + std::to_string(last), [&table, last](benchmark::State &state) {
    const auto doublings = static_cast<uint64_t>(std::countr_zero(last / kFirstReallocBytes));
    while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(doublings))) {
      void *block = table.malloc(kFirstReallocBytes);
      if (refused(state, block)) break;
      for (size_t size = 2 * kFirstReallocBytes; size <= last && block != nullptr; size *= 2) {
        block = table.realloc(block, size);
        if (block != nullptr) touch(block);
      }
      if (refused(state, block)) break;
      table.free(block);
    }
  });
}

}  // namespace

void register_micro_cases(const allocator_plugin &table) {
  add_pairs(table);
  add_batches(table);
  add_remote_frees(table);
  if (table.realloc == nullptr) return;
  for (const size_t last : {size_t{1024}, size_t{65536}, size_t{1} << 20}) add_realloc(table, last);
}

}  // namespace hakbench
