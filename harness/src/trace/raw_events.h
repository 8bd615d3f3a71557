// raw_events.h - what the preloaded recorder writes and `hakbench record` merges.
//
// Purpose:    the one contract between harness/recorder (inside the recorded program) and merge.cc.
// Owns:       nothing; plain data. A raw file lives only as long as its recording.
// Boundary:   no part of the C++ runtime: the recorder links none.
// Invariants: file = RawHeader, then chunks of kChunkBytes. A chunk's first slot is the recorder's own
//             bookkeeping; an event whose sequence is 0 was never finished. Sequence numbers are unique
//             in a file and order all events: that of a block's birth is taken after the allocator
//             returned, that of its death before the allocator is entered.
// Threads:    an event is written by one thread; its sequence, stored last (release), publishes it.
#ifndef HAKBENCH_TRACE_RAW_EVENTS_H_
#define HAKBENCH_TRACE_RAW_EVENTS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace hakbench::trace {

// Where the recorder puts its files: PREFIX.PID.N.raw, N counting the programs that PID executed.
inline constexpr char kPrefixVariable[] = "HAKBENCH_RECORD_PREFIX";
inline constexpr char kRawSuffix[] = ".raw";

inline constexpr char kRawMagic[8] = {'H', 'A', 'K', 'R', 'A', 'W', '0', '1'};

enum class RawKind : uint8_t {
  kMalloc = 1,
  kCalloc,
  kAligned,
  kFree,
  kReallocBegin,  // block: the old address; before the allocator is entered
  kReallocEnd     // block: the new address, 0 if it failed; after it returned
};

struct RawEvent {
  std::atomic<uint64_t> sequence;  // from 1
  uint64_t block;                  // address
  uint64_t size;                   // bytes, as asked for
  uint32_t thread;                 // from 0, in order of their first event
  RawKind kind;
  uint8_t log2_alignment;  // of kAligned
};

inline constexpr size_t kChunkBytes = 64 * 1024;
inline constexpr size_t kChunkSlots = kChunkBytes / sizeof(RawEvent);

struct alignas(4096) RawHeader {
  char magic[8];
  int32_t pid;
  int32_t stop_errno;     // not 0: the recorder had to stop, and why
  char program[64];       // as the kernel names the process
  int32_t own_operators;  // not 0: the allocator has operators new and delete that call no malloc
};

static_assert(sizeof(RawEvent) == 32 && sizeof(RawHeader) == 4096);

}  // namespace hakbench::trace

#endif  // HAKBENCH_TRACE_RAW_EVENTS_H_
