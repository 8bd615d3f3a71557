// residency.h - which pages of this process are resident, from the kernel.
//
// Purpose:    walk /proc/self/maps and /proc/self/pagemap, and read what smaps_rollup says of the sum.
// Boundary:   the only reader of /proc in the allocator. Needs no privilege: page frame numbers are
//             neither asked for nor needed. Allocates nothing.
// Invariants: a page counts as the kernel counts it for Rss: present in this process's page table, and
//             not the kernel's shared page of zeros. mincore() would not do: of a file it tells what is
//             in the page cache, mapped or not.
// Threads:    any, one at a time for each Scratch; the answer holds while no other thread runs.
#ifndef HAKMEM_OBSERVE_RESIDENCY_H_
#define HAKMEM_OBSERVE_RESIDENCY_H_

#include <cstddef>
#include <cstdint>

namespace hakmem::observe::residency {

// What a mapping is, as far as its line in /proc/self/maps tells.
enum class Mapping : uint8_t { kAnonymous, kFile, kStack };

// What the walk works in; its pages should be resident before it begins.
struct Scratch {
  static constexpr size_t kTextBytes = 16 * 1024;
  static constexpr size_t kEntries = 4096;
  char text[kTextBytes];
  uint64_t entries[kEntries];
};

// Called with each run of resident pages [begin, end), in rising order of addresses.
using Visitor = void (*)(void *context, Mapping mapping, uintptr_t begin, uintptr_t end);

// NULL, or what can't be read and the mend.
const char *walk(Scratch *scratch, Visitor visit, void *context);

// Rss of smaps_rollup in bytes; 0: it can't be read.
uint64_t rss_bytes(Scratch *scratch);

}  // namespace hakmem::observe::residency

#endif  // HAKMEM_OBSERVE_RESIDENCY_H_
