// recorder.h - writes the events of one process to its raw file.
//
// Purpose:    record(): one event of the calling thread, in the order across threads.
// Owns:       the process's raw file and the chunks of it that threads have mapped.
// Boundary:   calls nothing that allocates. malloc_family.cc is the only caller; src/trace/raw_events.h
//             is the file's format.
// Invariants: events are written straight into shared mappings of the file, so that nothing is lost when
//             the process ends, however it ends: there is no buffer to flush. No file descriptor stays
//             open: programs close or count theirs. A forked child finds the state wiped by the kernel
//             (MADV_WIPEONFORK) and begins a file of its own. errno is kept. No call is a cancellation
//             point, as none of malloc is.
// Threads:    each writes to a chunk that no other holds, without a lock; chunks change hands under one.
//             A thread that ends gives its chunk to the next.
#ifndef HAKBENCH_RECORDER_RECORDER_H_
#define HAKBENCH_RECORDER_RECORDER_H_

#include <cstddef>

#include "src/trace/raw_events.h"

namespace hakbench::trace {

void record(RawKind kind, const void *block, size_t size, unsigned log2_alignment);

// For the file's header: the allocator brings operators new and delete, whose blocks are not seen. Before the
// first record().
void note_own_operators();

}  // namespace hakbench::trace

#endif  // HAKBENCH_RECORDER_RECORDER_H_
