// random_mixed_lane.h - one thread's random_mixed working set; see random_mixed.cc.
//
// Purpose: the loop's state, its warm-up, and the bytes it holds.
// Owns: the slot array.
// Boundary: random_mixed and thread_churn.
// Invariants: an occupied slot was last touched by the malloc that filled it. So live_bytes needs
//   no bookkeeping in the timed loop: it runs the generator backwards (xorshift32 is invertible)
//   until it has met every occupied slot once, about ws * ln(ws) steps.
#pragma once

#include "workload/kit.h"

namespace hakbench {

class RandomMixedLane {
 public:
  RandomMixedLane(const WorkloadConfig &config, uint32_t thread, NothingShared *);
  bool map();
  bool set_up(const allocator_plugin &) { return true; }
  uint64_t prefault(const allocator_plugin &allocator, uint64_t ops);
  uint64_t run(const allocator_plugin &allocator, uint64_t ops);
  uint64_t live_bytes() const;
  void tear_down(const allocator_plugin &allocator);

  static void hash_stream(const WorkloadConfig &config, uint32_t thread, uint64_t ops,
                          StreamHash *hash);

 private:
  random_mixed_state state_;
  MappedArray<void *> slots_;
  MappedArray<unsigned char> met_;  // scratch of live_bytes: 1 where the slot was counted
  uint32_t prefault_end_;           // the generator where the warm-up stopped
  uint64_t prefault_ops_ = 0;
  uint64_t run_ops_ = 0;
};

// The parameters of a lane: ws, min_size, max_size.
std::vector<ParamInfo> random_mixed_params();

}  // namespace hakbench
