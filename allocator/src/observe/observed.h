// observed.h - what the observe build adds to the statistics, and its dumps at exit.
//
// Purpose:    per class counters and slabs as JSON; the same as tables that a person reads.
// Boundary:   in the observe build only; others refer to nothing here. Allocates nothing.
// Threads:    any; the snapshot is not atomic over layers.
// Gate:       the observe build; HAKMEM_TINY_MEM_DUMP, HAKMEM_SS_STATS_DUMP, HAKMEM_WARM_POOL_STATS,
//             HAKMEM_LEDGER_DUMP.
#ifndef HAKMEM_OBSERVE_OBSERVED_H_
#define HAKMEM_OBSERVE_OBSERVED_H_

#include "observe/writer.h"

namespace hakmem::observe {

// The members "slabs" and "classes".
void write_observed(Writer *w);

// Prints what the knobs ask for on standard error, and writes the ledger to its file.
void dump();

// Writes the ledger to the file that HAKMEM_LEDGER_DUMP names, if it does: under another name first, so
// that a reader sees the whole of it.
void write_ledger_file();

}  // namespace hakmem::observe

#endif  // HAKMEM_OBSERVE_OBSERVED_H_
