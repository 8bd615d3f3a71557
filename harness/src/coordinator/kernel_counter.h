// kernel_counter.h - count what one process does exactly, from outside.
//
// Purpose:    two counters of perf_event_open: system calls (the raw_syscalls:sys_enter tracepoint) and
//             instructions in user space (the PMU).
// Owns:       the perf event's file descriptor.
// Boundary:   where the kernel or the machine does not offer one, its source is empty and the reason
//             says why and how to mend it; the column then stays empty.
// Invariants: counts all threads that the process starts after the counter was attached. A count is the
//             whole count or none: an event that had to share the PMU reads as empty, never scaled.
#ifndef HAKBENCH_COORDINATOR_KERNEL_COUNTER_H_
#define HAKBENCH_COORDINATOR_KERNEL_COUNTER_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "model/epoch.h"

namespace hakbench {

// What can be counted on this machine. Looked up once; mounts nothing that outlives the call.
struct CounterSource {
  uint32_t type = 0;  // perf_event_attr.type and .config
  uint64_t config = 0;
  std::string source;  // "raw_syscalls:sys_enter", empty if unavailable
  std::string reason;  // why not, and the mend
};
const CounterSource &syscall_source();
const CounterSource &instruction_source();

class KernelCounter {
 public:
  KernelCounter() = default;
  ~KernelCounter();
  KernelCounter(const KernelCounter &) = delete;
  KernelCounter &operator=(const KernelCounter &) = delete;

  // While the process has one thread. Returns false if there is no such source, or the kernel refuses.
  bool attach(const CounterSource &source, pid_t pid);
  Integer read_total() const;

 private:
  int fd_ = -1;
};

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_KERNEL_COUNTER_H_
