// producer_consumer.cc - one thread allocates, another frees.
//
// Models: pipelines and message passing: every free is remote. Threads come in pairs; even threads
//   produce, odd threads consume; blocks cross a bounded single-producer single-consumer ring.
// Does NOT model: producers that also free, several consumers a ring, use of the memory (the
//   producer writes one byte). A thread that finds its ring full or empty spins briefly and then sleeps on a
//   futex until the other has done half a ring, so this workload makes system calls of its own; how
//   many, depends on who is faster. (Calling sched_yield instead would measure the scheduler: it
//   may let the same thread go on for its whole time slice.)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "workload/kit.h"

namespace hakbench {
namespace {

// One thread's bed. Sleeping is announced before the last look at what is waited for, and waking
// looks for sleepers after its progress was published (both sequentially consistent), so no wake is
// lost.
class Nap {
 public:
  template <class Ready>
  void sleep_unless(Ready ready) {
    asleep_.store(1, std::memory_order_seq_cst);
    if (!ready()) futex(FUTEX_WAIT_PRIVATE, 1);
    asleep_.store(0, std::memory_order_relaxed);
  }
  void wake() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (asleep_.load(std::memory_order_relaxed) == 0) return;
    asleep_.store(0, std::memory_order_relaxed);
    futex(FUTEX_WAKE_PRIVATE, 1);
  }

 private:
  void futex(int operation, uint32_t value) {
    syscall(SYS_futex, &asleep_, operation, value, nullptr, nullptr, 0);
  }

  std::atomic<uint32_t> asleep_{0};
};

// Invariant: head_ <= tail_ <= head_ + capacity; entries [head_, tail_) belong to the consumer, the
// rest to the producer. Each side keeps its last sight of the other's index on its own cache line.
class Ring {
 public:
  bool map(uint32_t capacity) {
    mask_ = capacity - 1;
    wake_mask_ = capacity / 2 - (capacity > 1 ? 1 : 0);
    return blocks_.map(capacity);
  }

  void push(void *block) {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);  // only we write it
    // acquire pairs with pop's release: the entry has been read
    const auto has_room = [&] { return tail - (seen_head_ = head_.load()) <= mask_; };
    if (tail - seen_head_ > mask_) wait(has_room, &producer_, &consumer_);
    blocks_[tail & mask_] = block;
    tail_.store(tail + 1, std::memory_order_release);  // publishes the entry and the block's byte
    if ((tail & wake_mask_) == 0) consumer_.wake();
  }

  void *pop() {
    const uint64_t head = head_.load(std::memory_order_relaxed);  // only we write it
    const auto has_entry = [&] { return head != (seen_tail_ = tail_.load()); };
    if (head == seen_tail_) wait(has_entry, &consumer_, &producer_);
    void *const block = blocks_[head & mask_];
    head_.store(head + 1, std::memory_order_release);  // gives the entry back to the producer
    if ((head & wake_mask_) == 0) producer_.wake();
    return block;
  }

  // No thread rests while the other waits for it.
  void producer_rests() { consumer_.wake(); }
  void consumer_rests() { producer_.wake(); }

 private:
  static constexpr size_t kCacheLineBytes = 64;
  static constexpr int kSpins = 64;

  template <class Ready>
  static void wait(Ready ready, Nap *own, Nap *other) {
    for (int i = 0; i < kSpins; ++i) {
      if (ready()) return;
      __builtin_ia32_pause();
    }
    while (!ready()) {
      other->wake();
      own->sleep_unless(ready);
    }
  }

  uint64_t mask_ = 0;
  uint64_t wake_mask_ = 0;
  MappedArray<void *> blocks_;
  alignas(kCacheLineBytes) std::atomic<uint64_t> tail_{0};
  uint64_t seen_head_ = 0;
  alignas(kCacheLineBytes) std::atomic<uint64_t> head_{0};
  uint64_t seen_tail_ = 0;
  alignas(kCacheLineBytes) Nap producer_;
  alignas(kCacheLineBytes) Nap consumer_;
};

class Rings {
 public:
  explicit Rings(const WorkloadConfig &config)
      : capacity_(param32(config, "ring")), rings_(config.threads / 2) {}
  bool map() {
    for (Ring &ring : rings_) {
      if (!ring.map(capacity_)) return false;
    }
    return true;
  }
  Ring *of_thread(uint32_t thread) { return &rings_[thread / 2]; }

 private:
  const uint32_t capacity_;
  std::vector<Ring> rings_;
};

class ProducerConsumerLane {
 public:
  ProducerConsumerLane(const WorkloadConfig &config, uint32_t thread, Rings *rings)
      : produces_(thread % 2 == 0),
        min_size_(param32(config, "min_size")),
        span_(param32(config, "max_size") - min_size_ + 1),
        random_(SplitMix::run_seed(config.seed, thread)),
        warm_random_(SplitMix::prefault_seed(config.seed, thread)),
        ring_(rings->of_thread(thread)) {}

  bool map() { return true; }
  bool set_up(const allocator_plugin &) { return true; }

  uint64_t prefault(const allocator_plugin &allocator, uint64_t ops) {
    return produces_ ? produce(allocator.malloc, &warm_random_, ops) : consume(allocator.free, ops);
  }

  uint64_t run(const allocator_plugin &allocator, uint64_t ops) {
    return produces_ ? produce(allocator.malloc, &random_, ops) : consume(allocator.free, ops);
  }

  // Both sides run the same number of ops, so the ring is empty whenever the workers rest.
  uint64_t live_bytes() const { return 0; }
  void tear_down(const allocator_plugin &) {}

  static void hash_stream(const WorkloadConfig &config, uint32_t thread, uint64_t ops,
                          StreamHash *hash) {
    if (thread % 2 != 0) return;  // a consumer follows its producer
    const uint32_t min_size = param32(config, "min_size");
    const uint32_t span = param32(config, "max_size") - min_size + 1;
    SplitMix random(SplitMix::run_seed(config.seed, thread));
    for (; ops != 0; --ops) hash->add(SplitMix::size(random.next(), min_size, span));
  }

 private:
  uint64_t produce(void *(*malloc_fn)(size_t), SplitMix *random, uint64_t ops) {
    uint64_t failed = 0;
    for (; ops != 0; --ops) {
      void *const block = malloc_fn(SplitMix::size(random->next(), min_size_, span_));
      if (block != nullptr) {
        *static_cast<volatile unsigned char *>(block) = 1;
      } else {
        ++failed;  // NULL crosses the ring too: the consumer counts on as many entries
      }
      ring_->push(block);
    }
    ring_->producer_rests();
    return failed;
  }

  uint64_t consume(void (*free_fn)(void *), uint64_t ops) {
    for (; ops != 0; --ops) free_fn(ring_->pop());
    ring_->consumer_rests();
    return 0;
  }

  const bool produces_;
  const uint32_t min_size_;
  const uint32_t span_;
  SplitMix random_;
  SplitMix warm_random_;
  Ring *const ring_;
};

bool validate(const WorkloadConfig &config, std::string *error) {
  const uint64_t ring = config.params.at("ring");
  if (config.threads % 2 != 0) {
    *error = "workload producer_consumer: threads = " + std::to_string(config.threads) +
             ": expected an even number (producers and consumers come in pairs)";
    return false;
  }
  if ((ring & (ring - 1)) != 0) {
    *error = "workload producer_consumer: ring = " + std::to_string(ring) +
             ": expected a power of two (blocks in flight)";
    return false;
  }
  return size_params_ok(config, error);
}

}  // namespace

WorkloadRow producer_consumer_row() {
  std::vector<ParamInfo> params = size_params();
  params.push_back({"ring", 1024, 1, 1 << 24, "blocks in flight, a power of two"});
  return lane_row<ProducerConsumerLane, Rings>(
      {"producer_consumer", "one thread of a pair allocates, the other frees", 2, 2, 256, params},
      &validate);
}

}  // namespace hakbench
