// guard.h - inaccessible ranges behind memory that is in use.
//
// Purpose:    let an overrun fault where it happens (the hardened variant).
// Owns:       the count of ranges that are closed.
// Boundary:   who closes a range remembers it, and opens it before the memory is used otherwise.
//             Each range costs the process up to two of its mappings, of which the kernel allows a
//             number (sysctl vm.max_map_count) and beyond which it refuses even the program's own
//             requests; so there is a bound.
// Threads:    any, for ranges that the caller holds.
#ifndef HAKMEM_OS_GUARD_H_
#define HAKMEM_OS_GUARD_H_

#include <cstddef>
#include <cstdint>

namespace hakmem::os::guard {

// False: there are as many as HAKMEM_GUARD_PAGES allows, or the kernel refused; then nothing is
// closed.
bool close(uintptr_t begin, size_t bytes);
// Opens a range that holds one that was closed. False: the kernel refused; it is still closed.
bool open(uintptr_t begin, size_t bytes);
// As open(), for memory that becomes free. Where the kernel refuses (the page would count again
// against RLIMIT_DATA), it stays closed, and reclaim() opens it before it is used again.
void open_for_free(uintptr_t begin, size_t bytes);
// Opens free memory that is to be used. False: the kernel refused.
bool reclaim(uintptr_t begin, size_t bytes);
// A closed range's mapping is gone.
void forget();

size_t count();

}  // namespace hakmem::os::guard

#endif  // HAKMEM_OS_GUARD_H_
