// mstress.cc - bursts of blocks, of which some stay and some go to other threads.
//
// Models: a busy multi-threaded program (after the idea of mimalloc-bench's mstress): each thread
//   allocates a burst, then frees blocks of it at random until a random rest is left, on which the
//   next burst is built. Each `transfer`-th block is swapped with a shared mailbox, so it
//   is freed by whichever thread gets it. Sizes are skewed: one block in 64 is 32 times as large.
// Does NOT model: threads that end (the original starts new ones; thread_churn does), use of the
//   memory (its first bytes are written), the original's check of contents, which is `hakbench loop
//   --check` here.
// Parameters: burst in blocks a thread; retain in per mille of a burst; transfer in blocks; sizes in
//   bytes, evenly over doublings, before the factor 32.
// Threads: any number. Nobody waits; who frees a block depends on timing, the generator does not.
#include "workload/handover.h"
#include "workload/sizes.h"

namespace hakbench {
namespace {

constexpr uint32_t kLargeFactor = 32;
constexpr uint32_t kOneInLarge = 64;

class MstressLane : public SeededLane<MstressLane> {
 public:
  MstressLane(const WorkloadConfig &config, uint32_t thread, Mailboxes *mailboxes)
      : SeededLane<MstressLane>(config, thread),
        burst_(param32(config, "burst")),
        max_rest_(static_cast<uint32_t>(uint64_t{burst_} * param32(config, "retain") / 1000)),
        transfer_(param32(config, "transfer")),
        until_transfer_(transfer_),
        keeps_mailboxes_(thread == 0),
        sizes_(param32(config, "min_size"), param32(config, "max_size")),
        mailboxes_(mailboxes) {}

  bool map() { return blocks_.map(burst_); }

  uint64_t live_bytes() const {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count_; ++i) bytes += stamped_size(blocks_[i]);
    for (uint32_t i = 0; keeps_mailboxes_ && i < Mailboxes::kCount; ++i) {
      bytes += stamped_size(mailboxes_->at_rest(i));
    }
    return bytes;
  }

  void tear_down(const allocator_plugin &allocator) {
    while (count_ != 0) allocator.free(blocks_[--count_]);
    for (uint32_t i = 0; keeps_mailboxes_ && i < Mailboxes::kCount; ++i) {
      allocator.free(std::exchange(mailboxes_->at_rest(i), nullptr));
    }
    growing_ = true;
  }

  static void hash_stream(const WorkloadConfig &config, uint32_t thread, uint64_t ops,
                          StreamHash *hash) {
    const OctaveSizes sizes(param32(config, "min_size"), param32(config, "max_size"));
    add_params(config, hash);
    SplitMix random(SplitMix::run_seed(config.seed, thread));
    for (; ops != 0; --ops) {
      const uint64_t r = random.next();
      hash->add(r << 32 | skewed_size(sizes, r));
    }
  }

 private:
  friend class SeededLane<MstressLane>;

  static uint32_t skewed_size(const OctaveSizes &sizes, uint64_t r) {
    const uint32_t size = sizes.draw(r);
    return r % kOneInLarge == 0 ? size * kLargeFactor : size;
  }

  uint64_t work(const allocator_plugin &allocator, SplitMix *random, uint64_t ops) {
    SplitMix local = *random;
    uint64_t failed = 0;
    for (; ops != 0; --ops) {
      const uint64_t r = local.next();
      if (!growing_) {
        void *&picked = blocks_[SplitMix::slot(r, count_)];
        void *const block = std::exchange(picked, blocks_[count_ - 1]);
        allocator.free(block);
        growing_ = --count_ <= rest_;
        continue;
      }
      const uint32_t size = skewed_size(sizes_, r);
      void *block = allocator.malloc(size);
      if (block == nullptr) {
        ++failed;
        continue;
      }
      stamp(block, size);
      if (--until_transfer_ == 0) {
        until_transfer_ = transfer_;
        block = mailboxes_->exchange(static_cast<uint32_t>(r >> 8) % Mailboxes::kCount, block);
        if (block == nullptr) continue;
      }
      blocks_[count_] = block;
      if (++count_ != burst_) continue;
      growing_ = false;
      rest_ = SplitMix::slot(r, max_rest_ + 1);
    }
    *random = local;
    return failed;
  }

  const uint32_t burst_;
  const uint32_t max_rest_;
  const uint32_t transfer_;
  uint32_t until_transfer_;
  const bool keeps_mailboxes_;
  const OctaveSizes sizes_;
  Mailboxes *const mailboxes_;
  uint32_t count_ = 0;  // blocks held, at the front of blocks_
  uint32_t rest_ = 0;   // blocks at which this burst is over; below burst_
  bool growing_ = true;
  MappedArray<void *> blocks_;
};

}  // namespace

WorkloadRow mstress_row() {
  std::vector<ParamInfo> params =
      size_params_within(16, 512, sizeof(uint32_t), uint64_t{1} << 20);  // room for the stamp
  params.insert(params.begin(), {"burst", 5000, 1, 1 << 24, "blocks a burst grows to, a thread"});
  params.push_back({"retain", 500, 0, 999, "most that stays of a burst, per mille"});
  params.push_back({"transfer", 16, 1, 1 << 20, "every n-th block swaps with a mailbox, blocks"});
  return lane_row<MstressLane, Mailboxes>(
      {"mstress", "bursts of skewed sizes; a random rest stays, some blocks change threads", 2, 1,
       256, params},
      &size_params_ok);
}

}  // namespace hakbench
