// xmalloc.cc - every thread fills batches that others empty.
//
// Models: work queues: messages are built by one thread and consumed by whichever comes (after the
//   xmalloc-test of Lever and Boreham, USENIX 2000, in which any thread frees what any other
//   allocated). Each thread empties the batch it holds, fills it again, and swaps it for another at a
//   random mailbox. With T threads about (T - 1) / T of the frees are remote, in bursts.
// Does NOT model: threads that only allocate or only free (producer_consumer has those, and waiting),
//   blocks that stay (mstress), use of the memory beyond its first byte.
// Parameters: batch in blocks; sizes in bytes, evenly over doublings. 256 batches lie in mailboxes, so
//   about 256 * batch blocks are live.
// Threads: any number. Nobody waits; which batch a thread gets depends on timing, the generator does not.
#include "workload/handover.h"
#include "workload/sizes.h"

namespace hakbench {
namespace {

struct Batch {
  uint32_t count;
  Slot *slots;
};

// Every thread holds one batch and every mailbox another; at first all are empty.
class Batches {
 public:
  explicit Batches(const WorkloadConfig &config)
      : threads_(config.threads), batch_(param32(config, "batch")), mailboxes_(config) {}

  bool map() {
    const uint32_t count = threads_ + Mailboxes::kCount;
    if (!mailboxes_.map() || !batches_.map(count) || !slots_.map(size_t{count} * batch_))
      return false;
    for (uint32_t i = 0; i < count; ++i) batches_[i].slots = &slots_[size_t{i} * batch_];
    for (uint32_t box = 0; box < Mailboxes::kCount; ++box) {
      mailboxes_.at_rest(box) = &batches_[threads_ + box];
    }
    return true;
  }
  Batch *first_of(uint32_t thread) const { return &batches_[thread]; }
  Batch *swap(uint32_t box, Batch *batch) {
    return static_cast<Batch *>(mailboxes_.exchange(box, batch));
  }
  Batch *at_rest(uint32_t box) const { return static_cast<Batch *>(mailboxes_.at_rest(box)); }

 private:
  const uint32_t threads_;
  const uint32_t batch_;
  Mailboxes mailboxes_;
  MappedArray<Batch> batches_;
  MappedArray<Slot> slots_;
};

class XmallocLane : public SeededLane<XmallocLane> {
 public:
  XmallocLane(const WorkloadConfig &config, uint32_t thread, Batches *batches)
      : SeededLane<XmallocLane>(config, thread),
        thread_(thread),
        size_of_batch_(param32(config, "batch")),
        sizes_(param32(config, "min_size"), param32(config, "max_size")),
        batches_(batches) {}

  bool map() {  // after what lanes share
    batch_ = batches_->first_of(thread_);
    return true;
  }

  uint64_t live_bytes() const {
    uint64_t bytes = 0;
    for_each_batch([&](Batch *batch) { bytes += bytes_in(batch->slots, batch->count); });
    return bytes;
  }

  void tear_down(const allocator_plugin &allocator) {
    for_each_batch([&](Batch *batch) {
      while (batch->count != 0) allocator.free(batch->slots[--batch->count].block);
    });
    filling_ = true;
  }

  static void hash_stream(const WorkloadConfig &config, uint32_t thread, uint64_t ops,
                          StreamHash *hash) {
    const OctaveSizes sizes(param32(config, "min_size"), param32(config, "max_size"));
    add_params(config, hash);
    SplitMix random(SplitMix::run_seed(config.seed, thread));
    for (; ops != 0; --ops) hash->add(sizes.draw(random.next()));
  }

 private:
  friend class SeededLane<XmallocLane>;

  // The own batch; for thread 0 those in the mailboxes too.
  template <class Function>
  void for_each_batch(Function function) const {
    function(batch_);
    for (uint32_t i = 0; thread_ == 0 && i < Mailboxes::kCount; ++i) function(batches_->at_rest(i));
  }

  uint64_t work(const allocator_plugin &allocator, SplitMix *random, uint64_t ops) {
    SplitMix local = *random;
    uint64_t failed = 0;
    for (; ops != 0; --ops) {
      if (!filling_) {
        allocator.free(batch_->slots[--batch_->count].block);
        filling_ = batch_->count == 0;
        continue;
      }
      const uint64_t r = local.next();
      const uint32_t size = sizes_.draw(r);
      void *const block = allocator.malloc(size);
      if (block == nullptr) {
        ++failed;
        continue;
      }
      touch_first_byte(block);
      batch_->slots[batch_->count] = {block, size};
      if (++batch_->count != size_of_batch_) continue;
      batch_ = batches_->swap(static_cast<uint32_t>(r % Mailboxes::kCount), batch_);
      filling_ = batch_->count == 0;
    }
    *random = local;
    return failed;
  }

  const uint32_t thread_;
  const uint32_t size_of_batch_;
  const OctaveSizes sizes_;
  Batches *const batches_;
  Batch *batch_ = nullptr;
  bool filling_ = true;
};

}  // namespace

WorkloadRow xmalloc_row() {
  std::vector<ParamInfo> params = size_params_within(16, 1024, 1, uint64_t{1} << 24);
  params.insert(params.begin(), {"batch", 64, 1, 1 << 16, "blocks that change hands together"});
  return lane_row<XmallocLane, Batches>(
      {"xmalloc", "every thread fills batches of blocks that other threads empty", 2, 1, 256,
       params},
      &size_params_ok);
}

}  // namespace hakbench
