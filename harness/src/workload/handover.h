// handover.h - how blocks change hands between threads.
//
// Purpose: mailboxes (a swap with whoever comes), rings (from one thread to another, in order), and the
//   stamp by which a block says its own size.
// Owns: their memory, mapped.
// Boundary: used by the workload files only.
// Invariants: nothing here waits, so workers may run different numbers of ops.
// Threads: as each says.
#pragma once

#include <atomic>

#include "workload/slots_lane.h"

namespace hakbench {

// Blocks change hands, so no generator can tell their sizes; each carries its own. The store is the
// first touch that every workload makes anyway. Meaningless for `floor`, whose blocks are all one.
inline void stamp(void *block, uint32_t size) { *static_cast<volatile uint32_t *>(block) = size; }
inline uint64_t stamped_size(const void *block) {
  return block == nullptr ? 0 : *static_cast<const uint32_t *>(block);
}

// Holds things in transit. exchange is acq_rel: it publishes what is given to whoever takes it, and
// sees what the giver wrote to the thing it takes.
class Mailboxes {
 public:
  static constexpr uint32_t kCount = 256;

  explicit Mailboxes(const WorkloadConfig &) {}
  bool map() { return boxes_.map(kCount); }
  void *exchange(uint32_t box, void *thing) {
    return std::atomic_ref(boxes_[box]).exchange(thing, std::memory_order_acq_rel);
  }
  void *&at_rest(uint32_t box) const { return boxes_[box]; }

 private:
  MappedArray<void *> boxes_;
};

// From one thread to one other. Invariant: head_ <= tail_ <= head_ + kCapacity; entries [head_, tail_)
// are the receiver's, the rest the sender's.
class HandoverRing {
 public:
  static constexpr uint32_t kCapacity = 256;

  void use(Slot *entries) { entries_ = entries; }

  // By the sender. False if it is full.
  bool push(const Slot &slot) {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);  // only we write it
    // acquire pairs with pop's release: the entry has been read
    if (tail - head_.load(std::memory_order_acquire) == kCapacity) return false;
    entries_[tail % kCapacity] = slot;
    tail_.store(tail + 1, std::memory_order_release);  // publishes the entry and the block's bytes
    return true;
  }

  // By the receiver. False if it is empty.
  bool pop(Slot *slot) {
    const uint64_t head = head_.load(std::memory_order_relaxed);  // only we write it
    // acquire pairs with push's release: the entry has been written
    if (head == tail_.load(std::memory_order_acquire)) return false;
    *slot = entries_[head % kCapacity];
    head_.store(head + 1, std::memory_order_release);  // gives the entry back to the sender
    return true;
  }

  // While both sides rest: what was sent and not yet received, in bytes.
  uint64_t resting_bytes() const {
    uint64_t bytes = 0;
    for (uint64_t i = head_.load(); i != tail_.load(); ++i) bytes += entries_[i % kCapacity].size;
    return bytes;
  }

 private:
  static constexpr size_t kCacheLineBytes = 64;

  alignas(kCacheLineBytes) std::atomic<uint64_t> tail_{0};
  alignas(kCacheLineBytes) std::atomic<uint64_t> head_{0};
  Slot *entries_ = nullptr;
};

}  // namespace hakbench
