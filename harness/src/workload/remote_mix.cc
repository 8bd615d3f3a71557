// remote_mix.cc - a set share of the frees is another thread's.
//
// Models: servers whose objects are mostly freed where they were made, and some elsewhere: queues, caches,
//   connections that move between workers. `remote` says how many of 1000 frees are of a
//   block that another thread allocated. Such a free hands the own block on to another thread, each
//   of the others in turn, and frees one that was handed to us.
// Does NOT model: bursts of remote frees (xmalloc has them), a thread that only allocates or only
//   frees (producer_consumer), use of the memory beyond its first byte.
// Parameters: ws slots a thread; remote in per mille of frees; sizes in bytes, evenly over doublings.
// Threads: 2 to 64. Nobody waits: a thread that runs 256 blocks ahead of the other frees its own, and one
//   with nothing to free allocates, so the share falls short where workers do not run side by side;
//   which block a thread frees depends on timing, the generator does not.
#include "workload/handover.h"
#include "workload/sizes.h"

namespace hakbench {
namespace {

// A ring from each thread to each.
class Rings {
 public:
  explicit Rings(const WorkloadConfig &config)
      : threads_(config.threads), rings_(size_t{threads_} * threads_) {}

  bool map() {
    if (!entries_.map(rings_.size() * HandoverRing::kCapacity)) return false;
    for (size_t i = 0; i < rings_.size(); ++i)
      rings_[i].use(&entries_[i * HandoverRing::kCapacity]);
    return true;
  }
  HandoverRing &between(uint32_t sender, uint32_t receiver) {
    return rings_[size_t{sender} * threads_ + receiver];
  }
  uint32_t threads() const { return threads_; }

 private:
  const uint32_t threads_;
  std::vector<HandoverRing> rings_;
  MappedArray<Slot> entries_;
};

class RemoteMixLane : public SeededLane<RemoteMixLane> {
 public:
  RemoteMixLane(const WorkloadConfig &config, uint32_t thread, Rings *rings)
      : SeededLane<RemoteMixLane>(config, thread),
        thread_(thread),
        ws_(param32(config, "ws")),
        remote_(param32(config, "remote")),
        sizes_(param32(config, "min_size"), param32(config, "max_size")),
        rings_(rings) {}

  bool map() { return slots_.map(ws_); }

  // Its slots, and what it has sent and nobody has taken yet.
  uint64_t live_bytes() const {
    uint64_t bytes = bytes_in(slots_.data(), ws_);
    for (uint32_t other = 0; other < rings_->threads(); ++other) {
      bytes += rings_->between(thread_, other).resting_bytes();
    }
    return bytes;
  }

  void tear_down(const allocator_plugin &allocator) {
    for (uint32_t i = 0; i < ws_; ++i) allocator.free(std::exchange(slots_[i].block, nullptr));
    for (uint32_t other = 0; other < rings_->threads(); ++other) {
      for (Slot sent; rings_->between(thread_, other).pop(&sent);) allocator.free(sent.block);
    }
  }

  static void hash_stream(const WorkloadConfig &config, uint32_t thread, uint64_t ops,
                          StreamHash *hash) {
    const uint32_t ws = param32(config, "ws");
    const OctaveSizes sizes(param32(config, "min_size"), param32(config, "max_size"));
    add_params(config, hash);
    SplitMix random(SplitMix::run_seed(config.seed, thread));
    for (; ops != 0; --ops) {
      const uint64_t r = random.next();
      hash->add(uint64_t{SplitMix::slot(r, ws)} << 32 | sizes.draw(r));
    }
  }

 private:
  friend class SeededLane<RemoteMixLane>;

  uint64_t work(const allocator_plugin &allocator, SplitMix *random, uint64_t ops) {
    SplitMix local = *random;
    uint64_t failed = 0;
    for (; ops != 0; --ops) {
      const uint64_t r = local.next();
      Slot &slot = slots_[SplitMix::slot(r, ws_)];
      // An occupied slot needs no size, so the same bits decide whether its free is remote.
      if (slot.block != nullptr &&
          SplitMix::below(static_cast<uint32_t>(r >> 32), 1000) < remote_) {
        swap_with_others(&slot);
      }
      if (slot.block != nullptr) {
        allocator.free(std::exchange(slot.block, nullptr));
        continue;
      }
      const uint32_t size = sizes_.draw(r);
      void *const block = allocator.malloc(size);
      if (block != nullptr) {
        touch_first_byte(block);
        slot = {block, size};
      } else {
        ++failed;
      }
    }
    *random = local;
    return failed;
  }

  // Hands the slot's block on and fills the slot with one that was handed to us, or with nothing.
  void swap_with_others(Slot *slot) {
    if (!rings_->between(thread_, receiver_).push(*slot)) return;
    receiver_ = next(receiver_);
    if (rings_->between(sender_, thread_).pop(slot)) {
      sender_ = next(sender_);
    } else {
      slot->block = nullptr;
    }
  }

  // The thread after `other`, ourselves left out.
  uint32_t next(uint32_t other) const {
    other = other + 1 == rings_->threads() ? 0 : other + 1;
    if (other != thread_) return other;
    return other + 1 == rings_->threads() ? 0 : other + 1;
  }

  const uint32_t thread_;
  const uint32_t ws_;
  const uint32_t remote_;
  const OctaveSizes sizes_;
  Rings *const rings_;
  uint32_t receiver_ = next(thread_);
  uint32_t sender_ = next(thread_);
  MappedArray<Slot> slots_;
};

}  // namespace

WorkloadRow remote_mix_row() {
  std::vector<ParamInfo> params = size_params_within(16, 1024, 1, uint64_t{1} << 24);
  params.insert(params.begin(), slots_param(1000));
  params.push_back({"remote", 100, 0, 1000, "frees of a block of another thread, per mille"});
  return lane_row<RemoteMixLane, Rings>(
      {"remote_mix", "random malloc and free; a set share of the frees is another thread's", 2, 2,
       64, params},
      &size_params_ok);
}

}  // namespace hakbench
