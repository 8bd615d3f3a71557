// quarantine.h - freed blocks wait here before they can be handed out again.
//
// Purpose:    a stale pointer should point at poison for a while, not at somebody else's new block;
//             and a second free of a waiting block should be known for what it is.
// Owns:       a queue of blocks, oldest first, and a hash table over it; one mapping, made at the
//             first free.
// Boundary:   moves pointers; the blocks' memory is the caller's affair. What leaves is given to
//             the caller, who puts it where it came from.
// Invariants: the charges of all waiting blocks are at most HAKMEM_QUARANTINE_KB once the caller
//             has taken what put() and take_excess() gave it.
// Threads:    any; one lock, under which nothing is called back.
#ifndef HAKMEM_HARDENED_QUARANTINE_H_
#define HAKMEM_HARDENED_QUARANTINE_H_

#include <cstddef>

namespace hakmem::hardened::quarantine {

enum class Outcome {
  kWaits,
  kWaitedAlready,  // it was freed before
  kRefused,        // it does not fit, or there is no memory for the table
};

// `charge_bytes` is what the block counts for. In *evicted (NULL: none) the oldest block, if there
// are now too many.
Outcome put(void *block, size_t charge_bytes, void **evicted);
// The oldest block if there are too many, else NULL.
void *take_excess();
// The oldest block; NULL: none waits.
void *take_oldest();
bool holds(const void *block);

struct Totals {
  size_t blocks, charged_bytes;
};
Totals totals();

void lock_for_fork();
void unlock_after_fork();
void reset_after_fork();

}  // namespace hakmem::hardened::quarantine

#endif  // HAKMEM_HARDENED_QUARANTINE_H_
