// batch.cc - allocate a batch of equal blocks, free the batch, again.
//
// Models: request-shaped use, containers filled and dropped; what thread caches and the paths behind
//   them do when a whole batch goes through. `order` decides how the blocks come back: last first
//   (a stack), first first (a queue), or shuffled (the worst locality).
// Does NOT model: mixed sizes, blocks that outlive the batch, use of the memory (one byte a block
//   is written). The shuffle is drawn once and reused by every batch. All orders pay one sequential
//   4-byte index load a free, so they are comparable with each other.
#include <algorithm>

#include "workload/kit.h"

namespace hakbench {
namespace {

enum Order : uint32_t { kLifo = 0, kFifo = 1, kShuffled = 2 };

void fill_order(const WorkloadConfig &config, uint32_t thread, uint32_t *order, uint32_t count) {
  const uint32_t kind = param32(config, "order");
  for (uint32_t i = 0; i < count; ++i) order[i] = kind == kLifo ? count - 1 - i : i;
  if (kind != kShuffled) return;
  SplitMix random(SplitMix::run_seed(config.seed, thread));
  for (uint32_t i = count - 1; i > 0; --i) {  // Fisher-Yates
    std::swap(order[i], order[SplitMix::slot(random.next(), i + 1)]);
  }
}

class BatchLane {
 public:
  BatchLane(const WorkloadConfig &config, uint32_t thread, NothingShared *)
      : config_(config),
        thread_(thread),
        size_(param32(config, "size")),
        count_(param32(config, "count")) {}

  bool map() {
    if (!blocks_.map(count_) || !order_.map(count_)) return false;
    fill_order(config_, thread_, order_.data(), count_);
    return true;
  }

  bool set_up(const allocator_plugin &) { return true; }

  uint64_t prefault(const allocator_plugin &allocator, uint64_t ops) { return run(allocator, ops); }

  uint64_t run(const allocator_plugin &allocator, uint64_t ops) {
    uint64_t failed = 0;
    while (ops != 0) {
      if (allocated_ < count_) {
        const auto n = static_cast<uint32_t>(std::min<uint64_t>(ops, count_ - allocated_));
        failed += allocate(allocator.malloc, n);
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

  uint64_t live_bytes() const {
    uint64_t live = 0;
    for (uint32_t i = 0; i < allocated_; ++i) live += blocks_[i] != nullptr;
    for (uint32_t i = 0; i < freed_; ++i) live -= blocks_[order_[i]] != nullptr;
    return live * size_;
  }

  void tear_down(const allocator_plugin &allocator) {
    for (; allocated_ < count_; ++allocated_) blocks_[allocated_] = nullptr;
    release(allocator.free, count_ - freed_);
    allocated_ = freed_ = 0;
  }

  // Every worker's batch, allocated and freed.
  static uint64_t period_ops(const WorkloadConfig &config) {
    return uint64_t{2} * param32(config, "count") * config.threads;
  }

  static void hash_stream(const WorkloadConfig &config, uint32_t thread, uint64_t ops,
                          StreamHash *hash) {
    const uint32_t count = param32(config, "count");
    std::vector<uint32_t> order(count);
    fill_order(config, thread, order.data(), count);
    for (uint64_t op = 0; op < ops; ++op) {
      const auto position = static_cast<uint32_t>(op % (uint64_t{2} * count));
      const uint32_t slot = position < count ? position : order[position - count];
      hash->add(uint64_t{slot} << 32 | param32(config, "size"));
    }
  }

 private:
  uint64_t allocate(void *(*malloc_fn)(size_t), uint32_t n) {
    uint64_t failed = 0;
    void **const end = &blocks_[0] + allocated_ + n;
    for (void **slot = end - n; slot != end; ++slot) {
      void *const block = malloc_fn(size_);
      *slot = block;
      if (block != nullptr) {
        *static_cast<volatile unsigned char *>(block) = 1;
      } else {
        ++failed;
      }
    }
    allocated_ += n;
    return failed;
  }

  void release(void (*free_fn)(void *), uint32_t n) {
    void **const blocks = blocks_.data();
    const uint32_t *const end = order_.data() + freed_ + n;
    for (const uint32_t *next = end - n; next != end; ++next) free_fn(blocks[*next]);
    freed_ += n;
  }

  const WorkloadConfig config_;
  const uint32_t thread_;
  const uint32_t size_;
  const uint32_t count_;
  uint32_t allocated_ = 0;  // blocks of this batch that were allocated
  uint32_t freed_ = 0;      // and of those, freed again
  MappedArray<void *> blocks_;
  MappedArray<uint32_t> order_;  // the n-th free takes blocks_[order_[n]]
};

}  // namespace

WorkloadRow batch_row() {
  WorkloadRow row = lane_row<BatchLane>(
      {"batch",
       "allocate a batch of equal blocks, then free it in a set order",
       1,
       1,
       256,
       {{"size", 64, 1, uint64_t{1} << 30, "block size, bytes"},
        {"count", 100, 1, uint64_t{1} << 27, "blocks a batch"},
        {"order", 0, 0, 2, "order of frees: 0 last first, 1 first first, 2 shuffled"}}},
      nullptr);
  row.period_ops = &BatchLane::period_ops;
  return row;
}

}  // namespace hakbench
