// statistics.h - what the allocator can tell about itself, as JSON.
//
// Purpose:    one snapshot of the counters of all layers.
// Boundary:   reads the layers' totals(); no layer knows it. Allocates nothing.
// Threads:    any; the snapshot is not atomic over layers.
#ifndef HAKMEM_OBSERVE_STATISTICS_H_
#define HAKMEM_OBSERVE_STATISTICS_H_

#include <cstddef>

namespace hakmem::observe {

// Writes at most cap bytes, NUL included; returns the length without NUL that it needs.
size_t write_json(char *buf, size_t cap);

}  // namespace hakmem::observe

#endif  // HAKMEM_OBSERVE_STATISTICS_H_
