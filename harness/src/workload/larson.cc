// larson.cc - a server's worker threads that pass blocks on to each other.
//
// Models: long-lived objects freed by another thread than the one that allocated them (after the
//   server benchmark of Larson and Krishnan, ISMM 1998): each thread works on slots of its own, and
//   every `exchange`-th op first swaps the slot's content with a shared mailbox.
// Does NOT model: thread births and deaths (thread_churn does), the original's hand-over of a whole
//   working set at once, use of the memory (its first bytes are written). Which thread frees a
//   block depends on timing when there are several threads; the generator does not.
#include "workload/handover.h"

namespace hakbench {
namespace {

class LarsonLane {
 public:
  LarsonLane(const WorkloadConfig &config, uint32_t thread, Mailboxes *mailboxes)
      : ws_(param32(config, "ws")),
        min_size_(param32(config, "min_size")),
        span_(param32(config, "max_size") - min_size_ + 1),
        exchange_(param32(config, "exchange")),
        until_exchange_(exchange_),
        keeps_mailboxes_(thread == 0),
        random_(SplitMix::run_seed(config.seed, thread)),
        warm_random_(SplitMix::prefault_seed(config.seed, thread)),
        mailboxes_(mailboxes) {}

  bool map() { return slots_.map(ws_); }
  bool set_up(const allocator_plugin &) { return true; }

  uint64_t prefault(const allocator_plugin &allocator, uint64_t ops) {
    return work(allocator.malloc, allocator.free, &warm_random_, ops);
  }

  uint64_t run(const allocator_plugin &allocator, uint64_t ops) {
    return work(allocator.malloc, allocator.free, &random_, ops);
  }

  uint64_t live_bytes() const {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < ws_; ++i) bytes += stamped_size(slots_[i]);
    for (uint32_t i = 0; keeps_mailboxes_ && i < Mailboxes::kCount; ++i) {
      bytes += stamped_size(mailboxes_->at_rest(i));
    }
    return bytes;
  }

  void tear_down(const allocator_plugin &allocator) {
    for (uint32_t i = 0; i < ws_; ++i) allocator.free(std::exchange(slots_[i], nullptr));
    for (uint32_t i = 0; keeps_mailboxes_ && i < Mailboxes::kCount; ++i) {
      allocator.free(std::exchange(mailboxes_->at_rest(i), nullptr));
    }
  }

  static void hash_stream(const WorkloadConfig &config, uint32_t thread, uint64_t ops,
                          StreamHash *hash) {
    const uint32_t ws = param32(config, "ws");
    const uint32_t min_size = param32(config, "min_size");
    const uint32_t span = param32(config, "max_size") - min_size + 1;
    hash->add(param32(config, "exchange"));
    SplitMix random(SplitMix::run_seed(config.seed, thread));
    for (; ops != 0; --ops) {
      const uint64_t r = random.next();
      hash->add(uint64_t{SplitMix::slot(r, ws)} << 32 | SplitMix::size(r, min_size, span));
    }
  }

 private:
  uint64_t work(void *(*malloc_fn)(size_t), void (*free_fn)(void *), SplitMix *random,
                uint64_t ops) {
    uint64_t failed = 0;
    for (; ops != 0; --ops) {
      const uint64_t r = random->next();
      void *&slot = slots_[SplitMix::slot(r, ws_)];
      if (--until_exchange_ == 0) {
        until_exchange_ = exchange_;
        slot = mailboxes_->exchange(static_cast<uint32_t>(r >> 32) % Mailboxes::kCount, slot);
      }
      if (slot != nullptr) {
        free_fn(std::exchange(slot, nullptr));
        continue;
      }
      const uint32_t size = SplitMix::size(r, min_size_, span_);
      void *const block = malloc_fn(size);
      if (block != nullptr) {
        stamp(block, size);
        slot = block;
      } else {
        ++failed;
      }
    }
    return failed;
  }

  const uint32_t ws_;
  const uint32_t min_size_;
  const uint32_t span_;
  const uint32_t exchange_;
  uint32_t until_exchange_;
  const bool keeps_mailboxes_;
  SplitMix random_;
  SplitMix warm_random_;
  Mailboxes *const mailboxes_;
  MappedArray<void *> slots_;
};

}  // namespace

WorkloadRow larson_row() {
  std::vector<ParamInfo> params = size_params();
  for (ParamInfo &param : params) param.min = sizeof(uint32_t);  // room for the stamp
  params.insert(params.begin(), {"ws", 1000, 1, uint64_t{1} << 27, "working set, slots a thread"});
  params.push_back({"exchange", 16, 1, 1 << 20, "every n-th op swaps with a mailbox, ops"});
  return lane_row<LarsonLane, Mailboxes>(
      {"larson", "threads with working sets of their own pass blocks on to each other", 2, 1, 256,
       params},
      &size_params_ok);
}

}  // namespace hakbench
