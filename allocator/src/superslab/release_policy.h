// release_policy.h - the one place that gives superslab memory back to the kernel.
//
// Purpose:    decide how free pages go back (docs/adr/0004), and do it.
// Boundary:   callers say which pages are free and why; nobody else calls discard_* or unmap on
//             memory that held blocks.
// Threads:    any; the caller guarantees that nobody uses the pages.
// Gate:       HAKMEM_SS_MEM_LEAN, HAKMEM_SS_MEM_LEAN_MODE, HAKMEM_PURGE_DELAY_MS.
#ifndef HAKMEM_SUPERSLAB_RELEASE_POLICY_H_
#define HAKMEM_SUPERSLAB_RELEASE_POLICY_H_

#include <cstddef>
#include <cstdint>

#include "config/config.h"

namespace hakmem::release {

enum class Reason {
  kAged,     // free for longer than the purge delay
  kEmptied,  // a whole superslab has just become free
  kDemand,   // the program asked (hakmem_purge, malloc_trim)
};

// What discarding did to the contents of the pages.
enum class Outcome { kKept, kZeroed, kUndefined };

enum LeanMode : int64_t { kKeep = 0, kFree = 1, kDontNeed = 2 };

// Whether pages that are free for `reason` are to be given back now at all.
inline bool wanted(Reason reason) {
  return reason != Reason::kEmptied ||
         (knob(g_config.mem_lean) != 0 && knob(g_config.mem_lean_mode) != kKeep);
}

// Whether it only offers them to the kernel, which takes them when it needs them (MADV_FREE). Never
// again once the kernel has refused that.
bool lazily(Reason reason);

// Gives the pages back as the policy says; now, where the kernel refuses to take them lazily.
// Counted in totals().
Outcome discard(void *base, size_t bytes, Reason reason);

// Gives pages and address space back. False: the kernel refused, all still mapped.
bool unmap(void *base, size_t bytes);

struct Totals {
  uint64_t discard_calls, discarded_bytes, unmap_calls, unmapped_bytes;
};
Totals totals();

}  // namespace hakmem::release

#endif  // HAKMEM_SUPERSLAB_RELEASE_POLICY_H_
