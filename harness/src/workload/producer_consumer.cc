// producer_consumer.cc - one thread allocates, another frees.
//
// Models: pipelines and message passing: every free is remote. Threads come in pairs; even threads
//   produce, odd threads consume; blocks cross a bounded single-producer single-consumer ring.
// Does NOT model: producers that also free, several consumers a ring, use of the memory (the
// producer
//   writes one byte). A thread that finds its ring full or empty spins briefly and then calls
//   sched_yield, so this workload does make system calls of its own.
#include <atomic>

#include "workload/kit.h"

namespace hakbench {
namespace {

// Invariant: head_ <= tail_ <= head_ + capacity; entries [head_, tail_) belong to the consumer, the
// rest to the producer. Each side keeps its last sight of the other's index on its own cache line.
class Ring {
 public:
  bool map(uint32_t capacity) {
    mask_ = capacity - 1;
    return blocks_.map(capacity);
  }

  void push(void *block) {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);  // only we write it
    for (PoliteSpin spin; tail - seen_head_ > mask_; spin.wait()) {
      seen_head_ =
          head_.load(std::memory_order_acquire);  // pairs with pop's release: entry is read
    }
    blocks_[tail & mask_] = block;
    tail_.store(tail + 1, std::memory_order_release);  // publishes the entry and the block's byte
  }

  void *pop() {
    const uint64_t head = head_.load(std::memory_order_relaxed);  // only we write it
    for (PoliteSpin spin; head == seen_tail_; spin.wait()) {
      seen_tail_ = tail_.load(std::memory_order_acquire);  // pairs with push's release
    }
    void *const block = blocks_[head & mask_];
    head_.store(head + 1, std::memory_order_release);  // gives the entry back to the producer
    return block;
  }

 private:
  static constexpr size_t kCacheLineBytes = 64;
  uint64_t mask_ = 0;
  MappedArray<void *> blocks_;
  alignas(kCacheLineBytes) std::atomic<uint64_t> tail_{0};
  uint64_t seen_head_ = 0;
  alignas(kCacheLineBytes) std::atomic<uint64_t> head_{0};
  uint64_t seen_tail_ = 0;
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
    return failed;
  }

  uint64_t consume(void (*free_fn)(void *), uint64_t ops) {
    for (; ops != 0; --ops) free_fn(ring_->pop());
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
