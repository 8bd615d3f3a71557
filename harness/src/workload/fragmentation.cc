// fragmentation.cc - an adversary: survivors that keep memory from being used again.
//
// Models: the worst that a program may do to an allocator that cannot move blocks (after Robson, JACM
//   1974): fill the budget with blocks of one size, free all but one in each `span` bytes, go on
//   with twice the size, for which the holes are too small or of the wrong class. After `rounds`
//   rounds, or when the survivors fill the budget, all are freed and it begins again. Peak RSS
//   over peak live bytes, which never exceed the budget, is the result.
// Does NOT model: a program that means no harm (fleet does); Robson's choice of survivors by address,
//   which would make the stream depend on the allocator; use of the memory beyond each block's
//   first byte.
// Parameters: mb in MiB a thread; min_size in bytes; rounds; span in bytes.
// Threads: any number, each on its own. The seed changes nothing.
#include <algorithm>

#include "workload/slots_lane.h"

namespace hakbench {
namespace {

class FragmentationLane {
 public:
  FragmentationLane(const WorkloadConfig &config, uint32_t, NothingShared *)
      : budget_bytes_(config.params.at("mb") << 20),
        min_size_(param32(config, "min_size")),
        rounds_(param32(config, "rounds")),
        span_bytes_(param32(config, "span")) {
    begin_round(0);
  }

  bool map() { return blocks_.map(budget_bytes_ / min_size_); }
  bool set_up(const allocator_plugin &) { return true; }

  uint64_t prefault(const allocator_plugin &allocator, uint64_t ops) { return run(allocator, ops); }

  uint64_t run(const allocator_plugin &allocator, uint64_t ops) {
    uint64_t failed = 0;
    for (; ops != 0; --ops) {
      if (phase_ == Phase::kFill) {
        failed += fill_one(allocator.malloc);
      } else if (phase_ == Phase::kPunch) {
        punch_one(allocator.free);
      } else {
        drain_one(allocator.free);
      }
    }
    return failed;
  }

  uint64_t live_bytes() const { return live_bytes_; }

  void tear_down(const allocator_plugin &allocator) {
    for (uint64_t i = 0; i < kept_; ++i) allocator.free(blocks_[i].block);
    for (uint64_t i = next_; i < count_; ++i) allocator.free(blocks_[i].block);
    kept_ = next_ = count_ = live_bytes_ = 0;
    begin_round(0);
  }

  static void hash_stream(const WorkloadConfig &config, uint32_t, uint64_t, StreamHash *hash) {
    add_params(config, hash);
  }

 private:
  enum class Phase { kFill, kPunch, kDrain };

  void begin_round(uint32_t round) {
    round_ = round;
    size_ = uint64_t{min_size_} << round;
    one_survives_of_ = std::max<uint64_t>(2, span_bytes_ / size_);
    next_ = count_ = kept_;
    phase_ = Phase::kFill;
    if (round_ == rounds_ || live_bytes_ + size_ > budget_bytes_) phase_ = Phase::kDrain;
  }

  uint64_t fill_one(void *(*malloc_fn)(size_t)) {
    void *const block = malloc_fn(size_);
    if (block == nullptr) return 1;
    touch_first_byte(block);
    blocks_[count_++] = {block, size_};
    live_bytes_ += size_;
    if (live_bytes_ + size_ > budget_bytes_) {
      phase_ = Phase::kPunch;
      until_survivor_ = 0;
      find_next();
    }
    return 0;
  }

  void punch_one(void (*free_fn)(void *)) {
    free_fn(blocks_[next_].block);
    live_bytes_ -= blocks_[next_++].size;
    find_next();
  }

  // Makes next_ the next block to free. Survivors, the first of every one_survives_of_ blocks, gather
  // at the front, behind those of the rounds before.
  void find_next() {
    if (next_ != count_ && until_survivor_ == 0) {
      blocks_[kept_++] = blocks_[next_++];
      until_survivor_ = one_survives_of_ - 1;  // as the decrement below counts the next one
    }
    --until_survivor_;
    if (next_ == count_) begin_round(round_ + 1);
  }

  void drain_one(void (*free_fn)(void *)) {
    free_fn(blocks_[--kept_].block);
    live_bytes_ -= blocks_[kept_].size;
    next_ = count_ = kept_;
    if (kept_ == 0) begin_round(0);
  }

  const uint64_t budget_bytes_;
  const uint32_t min_size_;
  const uint32_t rounds_;
  const uint32_t span_bytes_;
  Phase phase_ = Phase::kFill;
  uint32_t round_ = 0;
  uint64_t size_ = 0;             // of this round's blocks, bytes
  uint64_t one_survives_of_ = 0;  // blocks
  uint64_t until_survivor_ = 0;   // blocks
  uint64_t live_bytes_ = 0;
  // blocks_[0, kept_) survived; [next_, count_) are this round's, not yet decided.
  uint64_t kept_ = 0;
  uint64_t next_ = 0;
  uint64_t count_ = 0;
  MappedArray<Slot> blocks_;
};

bool validate(const WorkloadConfig &config, std::string *error) {
  const uint64_t largest = config.params.at("min_size") << (config.params.at("rounds") - 1);
  if (largest <= config.params.at("mb") << 20) return true;
  *error = "workload fragmentation: rounds = " + std::to_string(config.params.at("rounds")) +
           ": the last round's blocks of " + std::to_string(largest) +
           " bytes exceed mb = " + std::to_string(config.params.at("mb")) +
           ": expected fewer rounds";
  return false;
}

}  // namespace

WorkloadRow fragmentation_row() {
  return lane_row<FragmentationLane>(
      {"fragmentation",
       "survivors of each size keep the next, larger size from using their memory",
       1,
       1,
       256,
       {{"mb", 16, 1, 1 << 14, "most that is live, MiB a thread"},
        {"min_size", 32, 16, 1 << 20, "size of the first round, bytes"},
        {"rounds", 8, 1, 16, "rounds, each of twice the size of the one before"},
        {"span", 4096, 1, 1 << 21, "of so many bytes one block survives, bytes"}}},
      &validate);
}

}  // namespace hakbench
