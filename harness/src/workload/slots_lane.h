// slots_lane.h - one thread's working set of slots: an occupied one is freed, an empty one filled.
//
// Purpose: the loop of the workloads that differ only in what they ask for (calloc, aligned, large,
//   huge, fleet).
// Owns: the slots. Each remembers its block's size, on the cache line that the op touches anyway.
// Boundary: used by the workload files only.
// Invariants: a Model decides everything from the 64 random bits of the op.
#pragma once

#include "workload/kit.h"

namespace hakbench {

struct Slot {
  void *block;
  uint64_t size;  // bytes; of no meaning without a block
};

// The Slots of an array that hold something, in bytes.
inline uint64_t bytes_in(const Slot *slots, uint64_t count) {
  uint64_t bytes = 0;
  for (uint64_t i = 0; i < count; ++i) bytes += slots[i].block != nullptr ? slots[i].size : 0;
  return bytes;
}

// What an op does to slot `slot` if that is empty.
struct Draw {
  uint32_t slot;
  uint32_t size;
  uint32_t alignment = 0;  // 0: whatever the allocator gives
};

inline void touch_first_byte(void *block) { *static_cast<volatile unsigned char *>(block) = 1; }

// A Model has: Model(config), uint32_t slots() const, Draw draw(uint64_t r) const,
// void *allocate(const allocator_plugin &, const Draw &) const, void touch(void *block, size) const.
template <class Model>
class SlotsLane : public SeededLane<SlotsLane<Model>> {
 public:
  SlotsLane(const WorkloadConfig &config, uint32_t thread, NothingShared *)
      : SeededLane<SlotsLane<Model>>(config, thread), model_(config) {}

  bool map() { return slots_.map(model_.slots()); }

  uint64_t live_bytes() const { return bytes_in(slots_.data(), slots_.size()); }

  void tear_down(const allocator_plugin &allocator) {
    for (size_t i = 0; i < slots_.size(); ++i) {
      allocator.free(std::exchange(slots_[i].block, nullptr));
    }
  }

  static void hash_stream(const WorkloadConfig &config, uint32_t thread, uint64_t ops,
                          StreamHash *hash) {
    const Model model(config);
    add_params(config, hash);
    SplitMix random(SplitMix::run_seed(config.seed, thread));
    for (; ops != 0; --ops) {
      const Draw draw = model.draw(random.next());
      hash->add(uint64_t{draw.slot} << 32 | draw.size);
      if (draw.alignment != 0) hash->add(draw.alignment);
    }
  }

 private:
  friend class SeededLane<SlotsLane<Model>>;

  uint64_t work(const allocator_plugin &allocator, SplitMix *random, uint64_t ops) {
    SplitMix local = *random;  // in a register, where calls cannot change it
    Slot *const slots = slots_.data();
    uint64_t failed = 0;
    for (; ops != 0; --ops) {
      const Draw draw = model_.draw(local.next());
      Slot &slot = slots[draw.slot];
      if (slot.block != nullptr) {
        allocator.free(std::exchange(slot.block, nullptr));
        continue;
      }
      void *const block = model_.allocate(allocator, draw);
      if (block != nullptr) {
        model_.touch(block, draw.size);
        slot = {block, draw.size};
      } else {
        ++failed;
      }
    }
    *random = local;
    return failed;
  }

  const Model model_;
  MappedArray<Slot> slots_;
};

// The `ws` parameter of a working set of slots.
inline ParamInfo slots_param(uint64_t default_slots) {
  return {"ws", default_slots, 1, uint64_t{1} << 24, "working set, slots a thread"};
}

// min_size and max_size with bounds of the workload's own.
inline std::vector<ParamInfo> size_params_within(uint64_t min, uint64_t max, uint64_t lowest,
                                                 uint64_t highest) {
  return {{"min_size", min, lowest, highest, "smallest block, bytes"},
          {"max_size", max, lowest, highest, "largest block, bytes"}};
}

}  // namespace hakbench
