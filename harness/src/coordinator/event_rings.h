// event_rings.h - when one process had a page fault or left the CPU, event by event.
//
// Purpose:    record both kinds with thread and time, exactly, from outside: perf's software events.
// Owns:       a perf event and a ring for each CPU that a thread of the process may run on. All rings
//             together hold kAllRingsBytes or less, whatever an epoch does; nobody reads them while it
//             runs.
// Boundary:   where the kernel refuses, the source is empty and its reason says why and how to mend it.
// Invariants: each page fault and each switch away is one record (sample_period 1), of all threads that
//             the process starts after attach. Times are CLOCK_MONOTONIC_RAW. A ring that is full takes
//             nothing more until it is emptied, so what it holds is complete up to its last record.
#ifndef HAKBENCH_COORDINATOR_EVENT_RINGS_H_
#define HAKBENCH_COORDINATOR_EVENT_RINGS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "coordinator/kernel_counter.h"

namespace hakbench {

struct KernelEvent {
  enum class Kind { kPageFault, kSwitch };
  Kind kind;
  pid_t tid;
  uint64_t raw_ns;
};
using EventVisitor = std::function<void(const KernelEvent &)>;

// `source` is "perf page-faults and switches", with ":u" where faults within the kernel can't be seen.
// Looked up once.
const CounterSource &event_source();

// The records between two positions of a ring of 2^n bytes, as the kernel lays them out: `tail` and `head`
// only grow. Returns until when nothing is missing: the last record's time if the ring is full, else
// UINT64_MAX.
uint64_t read_records(const unsigned char *ring, size_t ring_bytes, uint64_t tail, uint64_t head,
                      const EventVisitor &visit);

class EventRings {
 public:
  EventRings() = default;
  ~EventRings();
  EventRings(const EventRings &) = delete;
  EventRings &operator=(const EventRings &) = delete;

  // While the process has one thread. cpus: those that it and its later threads will be pinned to;
  // empty: those that it may run on now. False if there is no such source, or the kernel refuses.
  bool attach(const CounterSource &source, pid_t pid, std::vector<int> cpus = {});

  void start();  // forgets what was recorded, and records from now on
  void stop();
  // What was recorded from start to stop. Returns until when (CLOCK_MONOTONIC_RAW) nothing is missing:
  // UINT64_MAX if all is there, 0 if nothing was recorded.
  uint64_t read(const EventVisitor &visit) const;

 private:
  struct Ring {
    int fd;
    unsigned char *memory;  // a page of the kernel's, then the records
    size_t bytes;           // of the records
  };
  bool add(const CounterSource &source, pid_t pid, int cpu, size_t bytes);
  void close_all();

  std::vector<Ring> rings_;
  bool recording_ = false;  // since the last start, on all CPUs
};

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_EVENT_RINGS_H_
