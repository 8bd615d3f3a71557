// slowest_ops.h - the few slowest operations of an epoch, each by itself.
//
// Purpose:    exemplars of the tail: what was slow, beside how much of it there was.
// Boundary:   plain data and arithmetic, in ticks of the probe's clock; it lies in shared memory too.
// Invariants: all zeros is empty. After keep() it holds the kSlowestOps largest of all that it was given,
//             of equals the earlier ones. threshold_ticks is what an operation must exceed to get in, so
//             the ordinary one costs a compare.
// Threads:    one writer.
#ifndef HAKBENCH_SUBJECT_SLOWEST_OPS_H_
#define HAKBENCH_SUBJECT_SLOWEST_OPS_H_

#include <algorithm>
#include <cstdint>

namespace hakbench {

inline constexpr uint32_t kSlowestOps = 8;
inline constexpr uint64_t kSizeUnknown = UINT64_MAX;
inline constexpr uint32_t kNoWorker = UINT32_MAX;

struct SlowOp {
  uint64_t start_ticks;
  uint64_t ticks;
  uint64_t size_bytes;  // asked for; kSizeUnknown for a free that names none
  uint32_t op;          // a TimedOp
  uint32_t worker;      // kNoWorker: a thread that the workload started
  int32_t tid;          // as the kernel numbers threads
};

struct SlowestOps {
  uint64_t threshold_ticks;  // 0 until full, then the least of `ops`
  uint32_t count;
  SlowOp ops[kSlowestOps];  // in no order

  bool wants(uint64_t ticks) const { return ticks > threshold_ticks; }

  void keep(const SlowOp &op) {
    if (!wants(op.ticks)) return;
    const auto shorter = [](const SlowOp &a, const SlowOp &b) { return a.ticks < b.ticks; };
    const bool full = count == kSlowestOps;
    SlowOp *const place = full ? std::min_element(ops, ops + count, shorter) : ops + count++;
    *place = op;
    if (count == kSlowestOps) threshold_ticks = std::min_element(ops, ops + count, shorter)->ticks;
  }

  void keep_all(const SlowestOps &others) {
    for (uint32_t i = 0; i < others.count; ++i) keep(others.ops[i]);
  }
};

}  // namespace hakbench

#endif  // HAKBENCH_SUBJECT_SLOWEST_OPS_H_
