// live_set.h - a set of live blocks whose size follows a target that changes over time.
//
// Purpose: what sawtooth and phases share. A Plan says, for the n-th op, how many blocks should live
//   and how large a new one is; the lane allocates or frees towards that, always with some of the
//   other mixed in, so that the set churns while it grows, shrinks or stays.
// Owns: the blocks and their sizes, in mapped arrays.
// Boundary: used by the workload files only.
// Invariants: the number of blocks depends on the op count and the seed alone: a failed allocation takes
//   its place in the set as NULL. Which block is freed is drawn evenly from all live ones.
//
// A Plan has: Plan(config, thread), uint32_t most() (blocks at any time), uint32_t target(n),
// uint32_t size(n, random 32 bits), static void hash(config, hash) for what a short stream can't tell.
#pragma once

#include "workload/kit.h"

namespace hakbench {

// Below the target three of four ops allocate, above it three of four free, at it every other.
inline bool live_set_allocates(uint64_t r, uint32_t count, uint32_t target, uint32_t most) {
  if (count == 0) return true;
  if (count == most) return false;
  const uint64_t quarter = r & 3;  // neither the victim nor the size depends on these two bits
  if (count == target) return quarter < 2;
  return count < target ? quarter != 0 : quarter == 0;
}

template <class Plan>
class LiveSetLane {
 public:
  LiveSetLane(const WorkloadConfig &config, uint32_t thread, NothingShared *)
      : plan_(config),
        random_(SplitMix::run_seed(config.seed, thread)),
        warm_random_(SplitMix::prefault_seed(config.seed, thread)) {}

  bool map() { return blocks_.map(plan_.most()) && sizes_.map(plan_.most()); }
  bool set_up(const allocator_plugin &) { return true; }

  // At the plan's start: the time of the plan is that of run.
  uint64_t prefault(const allocator_plugin &allocator, uint64_t ops) {
    uint64_t failed = 0;
    for (; ops != 0; --ops) failed += step(allocator.malloc, allocator.free, &warm_random_, 0);
    return failed;
  }

  uint64_t run(const allocator_plugin &allocator, uint64_t ops) {
    uint64_t failed = 0;
    for (; ops != 0; --ops) failed += step(allocator.malloc, allocator.free, &random_, time_++);
    return failed;
  }

  uint64_t live_bytes() const {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count_; ++i) bytes += blocks_[i] == nullptr ? 0 : sizes_[i];
    return bytes;
  }

  void tear_down(const allocator_plugin &allocator) {
    while (count_ != 0) allocator.free(blocks_[--count_]);
  }

  static void hash_stream(const WorkloadConfig &config, uint32_t thread, uint64_t ops,
                          StreamHash *hash) {
    const Plan plan(config);
    Plan::hash(config, hash);
    SplitMix random(SplitMix::run_seed(config.seed, thread));
    uint32_t count = 0;
    for (uint64_t time = 0; time < ops; ++time) {
      const uint64_t r = random.next();
      if (live_set_allocates(r, count, plan.target(time), plan.most())) {
        hash->add(uint64_t{count++} << 32 | plan.size(time, high_half(r)));
      } else {
        hash->add(SplitMix::slot(r, count--));
      }
    }
  }

 private:
  static uint32_t high_half(uint64_t r) { return static_cast<uint32_t>(r >> 32); }

  // One op; 1 if it was an allocation that failed.
  uint64_t step(void *(*malloc_fn)(size_t), void (*free_fn)(void *), SplitMix *random,
                uint64_t time) {
    const uint64_t r = random->next();
    if (!live_set_allocates(r, count_, plan_.target(time), plan_.most())) {
      const uint32_t victim = SplitMix::slot(r, count_);
      free_fn(blocks_[victim]);
      --count_;
      blocks_[victim] = blocks_[count_];
      sizes_[victim] = sizes_[count_];
      return 0;
    }
    const uint32_t size = plan_.size(time, high_half(r));
    void *const block = malloc_fn(size);
    if (block != nullptr) *static_cast<volatile unsigned char *>(block) = 1;
    blocks_[count_] = block;
    sizes_[count_] = size;
    ++count_;
    return block == nullptr ? 1 : 0;
  }

  const Plan plan_;
  uint64_t time_ = 0;  // operations of run so far
  uint32_t count_ = 0;
  SplitMix random_;
  SplitMix warm_random_;
  MappedArray<void *> blocks_;
  MappedArray<uint32_t> sizes_;
};

}  // namespace hakbench
