// growth.cc - grow to a set number of megabytes in mixed sizes, free everything, again.
//
// Models: start-up, loading a data set, phases of a compiler: the cost of fresh memory, and whether
//   it is given back and got again. Sizes are spread evenly over eight doublings, 16..4095 bytes,
//   mean 764; blocks are freed in the order they were allocated.
// Does NOT model: survivors (everything is freed), use of the memory beyond its first byte,
//   which for these sizes touches nearly every page.
#include <algorithm>

#include "workload/kit.h"

namespace hakbench {
namespace {

constexpr uint64_t kMeanBytes = 764;  // mean over e of 1.5 * 2^e - 0.5, e = 4..11, rounded down

uint32_t draw_size(uint64_t r) {
  const uint32_t base = 16u << (r & 7);
  return SplitMix::size(r, base, base);
}

uint32_t block_count(const WorkloadConfig &config) {
  return static_cast<uint32_t>((config.params.at("mb") << 20) / kMeanBytes);
}

class GrowthLane : public SeededLane<GrowthLane> {
 public:
  GrowthLane(const WorkloadConfig &config, uint32_t thread, NothingShared *)
      : SeededLane<GrowthLane>(config, thread), count_(block_count(config)) {}

  bool map() { return blocks_.map(count_) && sizes_.map(count_); }

  uint64_t live_bytes() const {
    uint64_t bytes = 0;
    for (uint32_t i = freed_; i < allocated_; ++i) {
      if (blocks_[i] != nullptr) bytes += sizes_[i];
    }
    return bytes;
  }

  void tear_down(const allocator_plugin &allocator) {
    release(allocator.free, allocated_ - freed_);
    allocated_ = freed_ = 0;
  }

  static void hash_stream(const WorkloadConfig &config, uint32_t thread, uint64_t ops,
                          StreamHash *hash) {
    const uint32_t count = block_count(config);
    SplitMix random(SplitMix::run_seed(config.seed, thread));
    for (uint64_t op = 0; op < ops; ++op) {
      const uint64_t position = op % (uint64_t{2} * count);
      hash->add(position << 32 | (position < count ? draw_size(random.next()) : 0));
    }
  }

 private:
  friend class SeededLane<GrowthLane>;

  uint64_t work(const allocator_plugin &allocator, SplitMix *random, uint64_t ops) {
    uint64_t failed = 0;
    while (ops != 0) {
      if (allocated_ < count_) {
        const auto n = static_cast<uint32_t>(std::min<uint64_t>(ops, count_ - allocated_));
        failed += allocate(allocator.malloc, random, n);
        ops -= n;
      } else {
        const auto n = static_cast<uint32_t>(std::min<uint64_t>(ops, count_ - freed_));
        release(allocator.free, n);
        ops -= n;
        if (freed_ == count_) allocated_ = freed_ = 0;
      }
    }
    return failed;
  }

  uint64_t allocate(void *(*malloc_fn)(size_t), SplitMix *random, uint32_t n) {
    uint64_t failed = 0;
    for (const uint32_t end = allocated_ + n; allocated_ != end; ++allocated_) {
      const uint32_t size = draw_size(random->next());
      void *const block = malloc_fn(size);
      blocks_[allocated_] = block;
      sizes_[allocated_] = static_cast<uint16_t>(size);
      if (block != nullptr) {
        *static_cast<volatile unsigned char *>(block) = 1;
      } else {
        ++failed;
      }
    }
    return failed;
  }

  void release(void (*free_fn)(void *), uint32_t n) {
    for (const uint32_t end = freed_ + n; freed_ != end; ++freed_) free_fn(blocks_[freed_]);
  }

  const uint32_t count_;
  uint32_t allocated_ = 0;  // blocks of this phase that were allocated
  uint32_t freed_ = 0;      // and of those, freed again
  MappedArray<void *> blocks_;
  MappedArray<uint16_t> sizes_;  // a sequential store; lost in the cost of fresh memory
};

}  // namespace

WorkloadRow growth_row() {
  return lane_row<GrowthLane>({"growth",
                               "grow to a set amount of memory in mixed sizes, free it all, again",
                               1,
                               1,
                               256,
                               {{"mb", 100, 1, 1 << 16, "amount to grow to, MiB a thread"}}},
                              nullptr);
}

}  // namespace hakbench
