// remote.h - frees by other threads: blocks always go home to the heap whose slab they are of.
//
// Purpose:    return a batch of blocks of any owners, so that no slab serves two threads by turns
//             (no passive false sharing) and nothing is left behind when a thread ends.
// Boundary:   the blocks were freed by the program and lie in memory that hakmem handed out; what
//             is not so is reported as misuse here, where it is first looked at.
// Threads:    any thread; takes the lock of one owner's inbox or pool at a time.
#ifndef HAKMEM_REMOTE_REMOTE_H_
#define HAKMEM_REMOTE_REMOTE_H_

#include <cstddef>

namespace hakmem::remote {

inline constexpr size_t kMaxBatch = 64;

// Small blocks go to their owner's inbox, or into its slabs when nobody looks into that inbox or it
// is full. At most kMaxBatch blocks; leaves `blocks` undefined.
void give_home(void **blocks, size_t count);

}  // namespace hakmem::remote

#endif  // HAKMEM_REMOTE_REMOTE_H_
