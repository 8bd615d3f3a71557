// latency_buckets.h - which bucket of the histogram a service time falls into.
//
// Purpose:    log-linear buckets over all 64-bit numbers of clock ticks: exact below 64, then 32 to each
//             doubling, so a bucket is at most 1/32 as wide as its lower edge.
// Boundary:   arithmetic only; the subject counts with it, the coordinator turns edges into ns.
// Invariants: bucket i holds the ticks from bucket_low(i) on, bucket_width(i) of them; neighbours touch.
#ifndef HAKBENCH_SUBJECT_LATENCY_BUCKETS_H_
#define HAKBENCH_SUBJECT_LATENCY_BUCKETS_H_

#include <bit>
#include <cstdint>

namespace hakbench {

inline constexpr uint32_t kLatencyStepBits = 5;
inline constexpr uint32_t kLatencySteps = 1u << kLatencyStepBits;  // to each doubling
inline constexpr uint32_t kLatencyBuckets = (64 - kLatencyStepBits + 1) * kLatencySteps;

// The bits that the bucket of `ticks` does not tell apart.
constexpr uint32_t latency_shift(uint64_t ticks) {
  const auto bits = static_cast<uint32_t>(std::bit_width(ticks));
  return bits > kLatencyStepBits + 1 ? bits - kLatencyStepBits - 1 : 0;
}

// Shifted, ticks keep their leading one and kLatencyStepBits bits below it: 32 .. 63.
constexpr uint32_t latency_bucket(uint64_t ticks) {
  const uint32_t shift = latency_shift(ticks);
  return shift * kLatencySteps + static_cast<uint32_t>(ticks >> shift);
}

constexpr uint32_t bucket_shift(uint32_t bucket) {
  return bucket < 2 * kLatencySteps ? 0 : bucket / kLatencySteps - 1;
}
constexpr uint64_t bucket_low(uint32_t bucket) {
  const uint32_t shift = bucket_shift(bucket);
  return static_cast<uint64_t>(bucket - shift * kLatencySteps) << shift;
}
constexpr uint64_t bucket_width(uint32_t bucket) { return uint64_t{1} << bucket_shift(bucket); }

static_assert(latency_bucket(UINT64_MAX) == kLatencyBuckets - 1);

}  // namespace hakbench

#endif  // HAKBENCH_SUBJECT_LATENCY_BUCKETS_H_
