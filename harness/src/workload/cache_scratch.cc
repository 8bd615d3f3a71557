// cache_scratch.cc - cache_scratch and cache_thrash: do two threads' small blocks share a cache line?
//
// Models: cache_thrash, active false sharing: each thread allocates, writes and frees a small block over
//   and over, and an allocator that carves one line for two threads makes them fight over it.
//   cache_scratch, passive false sharing (after Hoard's cache-scratch; Berger and others, ASPLOS 2000):
//   thread 0 allocates one small block for each thread, next to each other; each thread frees the one it
//   was given and then allocates, writes and frees a block of that size over and over. An allocator that
//   hands the freed neighbour out again makes the threads fight over its line.
// Does NOT model: mixed sizes, or a working set; a thread holds at most one block. With one thread
//   it measures only malloc, free and the writes.
#include "workload/kit.h"

namespace hakbench {
namespace {

struct Gifts {
  explicit Gifts(const WorkloadConfig &config) : threads(config.threads) {}
  bool map() { return blocks.map(threads); }

  const uint32_t threads;
  MappedArray<void *>
      blocks;  // written by thread 0 in set_up, taken by each thread on its first op
};

// kGifts: cache_scratch; without them it is cache_thrash.
template <bool kGifts>
class CacheLineLane {
 public:
  CacheLineLane(const WorkloadConfig &config, uint32_t thread, Gifts *gifts)
      : thread_(thread),
        size_(param32(config, "size")),
        writes_(param32(config, "writes")),
        gifts_(gifts) {}

  bool map() { return true; }

  bool set_up(const allocator_plugin &allocator) {
    bool all = true;
    for (uint32_t i = 0; kGifts && thread_ == 0 && i < gifts_->threads; ++i) {
      gifts_->blocks[i] = allocator.malloc(size_);
      all = all && gifts_->blocks[i] != nullptr;
    }
    return all;
  }

  uint64_t prefault(const allocator_plugin &allocator, uint64_t ops) { return run(allocator, ops); }

  uint64_t run(const allocator_plugin &allocator, uint64_t ops) {
    if (ops != 0) take_gift();
    uint64_t failed = 0;
    for (; ops != 0; --ops) {
      if (held_ != nullptr) {
        allocator.free(std::exchange(held_, nullptr));
        continue;
      }
      held_ = allocator.malloc(size_);
      if (held_ != nullptr) {
        write(static_cast<volatile unsigned char *>(held_));
      } else {
        ++failed;
      }
    }
    return failed;
  }

  uint64_t live_bytes() const {
    return ((held_ != nullptr) + (gifts_->blocks[thread_] != nullptr)) * uint64_t{size_};
  }

  void tear_down(const allocator_plugin &allocator) {
    allocator.free(std::exchange(held_, nullptr));
    allocator.free(std::exchange(gifts_->blocks[thread_], nullptr));
  }

  static void hash_stream(const WorkloadConfig &config, uint32_t thread, uint64_t,
                          StreamHash *hash) {
    hash->add(uint64_t{thread} << 32 | param32(config, "size"));
    hash->add(param32(config, "writes"));
    if (!kGifts) hash->add(0);  // tells the two apart
  }

 private:
  void take_gift() {
    void *const gift = std::exchange(gifts_->blocks[thread_], nullptr);
    if (gift != nullptr) held_ = gift;
  }

  void write(volatile unsigned char *block) const {
    for (uint32_t write = 0, at = 0; write < writes_; ++write) {
      block[at] = static_cast<unsigned char>(block[at] + 1);
      if (++at == size_) at = 0;
    }
  }

  const uint32_t thread_;
  const uint32_t size_;
  const uint32_t writes_;
  Gifts *const gifts_;
  void *held_ = nullptr;
};

std::vector<ParamInfo> cache_line_params() {
  return {{"size", 8, 1, uint64_t{1} << 20, "block size, bytes"},
          {"writes", 100, 0, 1 << 20, "bytes written after each malloc"}};
}

}  // namespace

WorkloadRow cache_scratch_row() {
  return lane_row<CacheLineLane<true>, Gifts>(
      {"cache_scratch",
       "each thread frees a neighbour of the others' blocks, then allocates, writes and frees", 2,
       1, 256, cache_line_params(), 0, kWritesAnyByte},
      nullptr);
}

WorkloadRow cache_thrash_row() {
  return lane_row<CacheLineLane<false>, Gifts>(
      {"cache_thrash", "each thread allocates, writes and frees a small block of its own", 2, 1,
       256, cache_line_params(), 0, kWritesAnyByte},
      nullptr);
}

}  // namespace hakbench
