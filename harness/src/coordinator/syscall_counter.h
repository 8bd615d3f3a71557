// syscall_counter.h - count the system calls of one process exactly, from outside.
//
// Purpose:    the raw_syscalls:sys_enter tracepoint through perf_event_open.
// Owns:       the perf event's file descriptor.
// Boundary:   where the kernel does not allow it, available() is false and reason() says why and how
//             to mend it; the column then stays empty.
// Invariants: counts all threads that the process starts after the counter was attached.
#ifndef HAKBENCH_COORDINATOR_SYSCALL_COUNTER_H_
#define HAKBENCH_COORDINATOR_SYSCALL_COUNTER_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "model/epoch.h"

namespace hakbench {

// Can system calls be counted on this machine? Looked up once; mounts nothing that outlives the call.
struct SyscallTracepoint {
  uint64_t id = 0;     // of the tracepoint; 0 if unavailable
  std::string source;  // "raw_syscalls:sys_enter", empty if unavailable
  std::string reason;  // why not, and the mend
};
const SyscallTracepoint &syscall_tracepoint();

class SyscallCounter {
 public:
  SyscallCounter() = default;
  ~SyscallCounter();
  SyscallCounter(const SyscallCounter &) = delete;
  SyscallCounter &operator=(const SyscallCounter &) = delete;

  // While the process has one thread. Returns false if the kernel refuses.
  bool attach(pid_t pid);
  Integer read_total() const;

 private:
  int fd_ = -1;
};

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_SYSCALL_COUNTER_H_
