// merge.h - the raw events of one process into a trace.
//
// Purpose:    put the threads' events into their order, give blocks numbers in place of addresses.
// Boundary:   reads a raw file (raw_events.h), which a process may still be writing; writes a trace.
//             Throws Error.
// Invariants: a free of a block that the recording never saw born is left out; a birth at an address
//             that is live frees the older block first (its free went past the recorder). Both are counted
//             in the header. A realloc stands where it returned; one that never did changes nothing.
#ifndef HAKBENCH_TRACE_MERGE_H_
#define HAKBENCH_TRACE_MERGE_H_

#include <cstdint>
#include <string>

namespace hakbench::trace {

struct MergeResult {
  uint64_t ops = 0;             // 0: there was nothing, and no trace was written
  std::string program;          // as the kernel named it
  int stop_errno = 0;           // not 0: the recorder had to stop
  bool own_operators = false;   // of the allocator: what C++ code asked of them was not seen
  bool without_header = false;  // its process was ended before there was one; no trace was written
};

MergeResult merge_raw_file(const std::string &raw_path, const std::string &trace_path);

}  // namespace hakbench::trace

#endif  // HAKBENCH_TRACE_MERGE_H_
