// latency_clock.h - the clock of single operations: the time stamp counter where it can be trusted.
//
// Purpose:    two readings, one for the start of an operation and one for its end.
// Boundary:   latency_probe only. Ticks, not ns.
// Invariants: the counter is used if it runs at one rate in all states of the CPU (invariant TSC) and
//             rdtscp is there; else clock_gettime(CLOCK_MONOTONIC_RAW), which costs more. Neither is steered
//             by NTP.
//
// The fences. rdtsc is not ordered with other instructions: the CPU may read it before earlier ones are
// done and start later ones before it. lfence lets nothing later start before everything earlier has
// completed (on AMD too, since Linux sets it so against Spectre). Hence:
//   start: lfence rdtsc lfence   what came before is not charged to the operation, and the operation
//                                does not begin before the reading;
//   end:   rdtscp lfence         rdtscp waits by itself until the operation's instructions are done and
//                                its loads have their values; the lfence keeps what follows behind it.
// Stores of the operation may still be in the store buffer at the end: its caller does not wait for them
// either. cpuid, the other way to serialise, costs a thousand ns and more in a virtual machine.
#ifndef HAKBENCH_SUBJECT_LATENCY_CLOCK_H_
#define HAKBENCH_SUBJECT_LATENCY_CLOCK_H_

#include <time.h>

#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace hakbench {

inline uint64_t read_clock_ns(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
}
inline uint64_t read_monotonic_ns() { return read_clock_ns(CLOCK_MONOTONIC); }
inline uint64_t read_raw_ns() { return read_clock_ns(CLOCK_MONOTONIC_RAW); }

struct RawClock {
  static uint64_t start() { return read_raw_ns(); }
  static uint64_t end() { return read_raw_ns(); }
};

#if defined(__x86_64__)

inline bool look_for_invariant_tsc() {
  uint32_t a = 0;
  uint32_t b = 0;
  uint32_t c = 0;
  uint32_t d = 0;
  const bool has_rdtscp = __get_cpuid(0x80000001, &a, &b, &c, &d) != 0 && (d >> 27 & 1) != 0;
  return has_rdtscp && __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d >> 8 & 1) != 0;
}

// Looked up once: cpuid leaves a virtual machine.
inline bool has_invariant_tsc() {
  static const bool found = look_for_invariant_tsc();
  return found;
}

struct TscClock {
  static uint64_t start() {
    uint32_t low = 0;
    uint32_t high = 0;
    asm volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
    return uint64_t{high} << 32 | low;
  }
  static uint64_t end() {
    uint32_t low = 0;
    uint32_t high = 0;
    asm volatile("rdtscp\n\tlfence" : "=a"(low), "=d"(high) : : "rcx", "memory");
    return uint64_t{high} << 32 | low;
  }
};

#else

inline bool has_invariant_tsc() { return false; }
using TscClock = RawClock;

#endif

}  // namespace hakbench

#endif  // HAKBENCH_SUBJECT_LATENCY_CLOCK_H_
