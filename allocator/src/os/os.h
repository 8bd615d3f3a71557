// os.h - the contract with the kernel.
//
// Purpose:    every request to the kernel for memory or time, behind one table, so that tests can
//             put a fake in its place and fail any call.
// Owns:       g_kernel, the table in force.
// Boundary:   addresses and sizes are multiples of the OS page. A function that fails says so by
//             NULL/false and changes nothing unless its comment says so; nothing here sets errno
//             for the program.
// Threads:    all functions may be called by any thread.
#ifndef HAKMEM_OS_OS_H_
#define HAKMEM_OS_OS_H_

#include <cstddef>
#include <cstdint>

namespace hakmem::os {

enum class Moved {
  kYes,
  kNo,          // the target is as it was
  kTargetLost,  // where the target was there is another thread's mapping
};

struct Kernel {
  // Zeroed private read-write memory, committed lazily. `place` (may be NULL) is where it is
  // wanted: the result is exactly there or NULL. *taken (never NULL) tells why: true, something
  // else lives there; false, the kernel has no memory or no room.
  void *(*map)(void *place, size_t bytes, bool *taken);
  // Zeroed private memory that can be read but not yet written: it costs address space only, and
  // counts neither against a commit limit nor against RLIMIT_DATA. NULL: no room.
  void *(*map_unwritable)(size_t bytes);
  // Gives address space back. The kernel may refuse (too many mappings): false, all still mapped.
  bool (*unmap)(void *base, size_t bytes);
  // Grows or shrinks a mapping in place. False: unchanged.
  bool (*resize)(void *base, size_t old_bytes, size_t new_bytes);
  // Moves a mapping's pages to `target`, which is mapped, untouched, and replaced. Unless kYes the
  // range is as it was if it is of one mapping; of several, some may have moved.
  Moved (*move)(void *base, size_t old_bytes, void *target, size_t new_bytes);
  // The pages read as zero from now on and no longer count as resident. False: contents unchanged.
  bool (*discard_now)(void *base, size_t bytes);
  // The kernel may take the pages when it needs them; until then they count as resident. Contents
  // are undefined until written. False: contents unchanged.
  bool (*discard_lazily)(void *base, size_t bytes);
  // Makes untouched pages resident, zeroed, in one call. False: some of them may not be.
  bool (*populate)(void *base, size_t bytes);
  // Advice on transparent huge pages; without effect where they are not offered.
  void (*want_huge_pages)(void *base, size_t bytes);
  void (*refuse_huge_pages)(void *base, size_t bytes);
  // Makes pages inaccessible, or readable and writable; their contents stay. False: unchanged,
  // or changed in part.
  bool (*set_access)(void *base, size_t bytes, bool accessible);
  // Milliseconds since some start, monotonic, resolution of a few ms, no system call.
  uint64_t (*now_ms)();
};

extern const Kernel kLinux;
extern constinit const Kernel *g_kernel;

// RLIMIT_AS as it is now; SIZE_MAX: none.
size_t address_space_limit();
// Of a request for more than this that was refused: the kernel refuses it whatever is given back
// before. RLIMIT_AS, or where there is none all memory and swap.
size_t hopeless_above_bytes();

}  // namespace hakmem::os

#endif  // HAKMEM_OS_OS_H_
