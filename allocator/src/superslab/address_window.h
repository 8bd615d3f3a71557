// address_window.h - where hakmem's memory lies: OS memory -> unit, and address -> unit.
//
// Purpose:    hand out address space in 32 MiB aligned units and tell whose an address is.
// Owns:       the unit table (one word for each unit of the window, touched lazily).
// Boundary:   the only caller of map for block memory. An address is reduced to its low 42 bits (a
//             window of 4 TiB) wherever it is used as an index: by this table, and by the owner
//             maps of the thread caches. No two live units share an index, so reduced addresses of
//             hakmem's own memory never collide; foreign addresses are told apart by comparing with
//             the full address that the table holds.
// Invariants: unit 0 of the window (where NULL lies) is never handed out.
// Threads:    all under the table's lock, but find(), publish() and unpublish(): the latter two write
//             only units that the caller has.
#ifndef HAKMEM_SUPERSLAB_ADDRESS_WINDOW_H_
#define HAKMEM_SUPERSLAB_ADDRESS_WINDOW_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/units.h"
#include "os/os.h"

namespace hakmem {

inline constexpr size_t kUnitShift = 25;
inline constexpr size_t kUnitBytes = size_t{1} << kUnitShift;
inline constexpr size_t kWindowShift = 42;
inline constexpr size_t kUnitCount = size_t{1} << (kWindowShift - kUnitShift);

namespace address_window {

// What a unit is used for; stored in the low bits of the table's word.
enum class Use : uintptr_t { kSuperslab = 1, kHuge = 2 };

struct Unit {
  Use use;
  void *holder;  // Superslab: its base. Huge: the HugeBlock.
};

// Maps `bytes` of zeroed memory, aligned to `alignment` (a power of two, at least kUnitBytes).
// NULL: no memory, or no room in the window. It is not yet found by find().
void *map(size_t bytes, size_t alignment);
// Publishes the units of [base, base + bytes) to find(); base is unit-aligned.
void publish(const void *base, size_t bytes, Use use, void *holder);
// The range stays mapped, but find() finds it no more.
void unpublish(const void *base, size_t bytes);
// Gives a published or merely mapped range back. False: the kernel refused; nothing has changed.
bool unmap(void *base, size_t bytes);
// The range, or its tail beyond `new_bytes`, is no longer mapped: its units are free again.
void forget(const void *base, size_t old_bytes, size_t new_bytes = 0);
// A range that is mapped; the last of the kernel's mappings in it begins at `seam`.
struct Extent {
  void *base;
  size_t seam, bytes;
};
// Takes the address space behind a range for growth in place, if it is free: published on success.
bool grow(const Extent &old, size_t new_bytes, Use use, void *holder);
// Gives the tail of a range back.
bool shrink(void *base, size_t old_bytes, size_t new_bytes);
// Moves the tail's pages to `target`, an untouched range of their size. Unless kYes the tail may have
// holes.
os::Moved split(void *base, size_t old_bytes, size_t new_bytes, void *target);

namespace detail {
inline constexpr uintptr_t kUseMask = 3;
// A unit that is mapped, but not yet published or no longer.
inline constexpr uintptr_t kReserved = 3;
// A holder and, in its low bits, a Use; kReserved; 0: nothing of hakmem's.
extern constinit std::atomic<uintptr_t> g_units[kUnitCount];

inline size_t index_of(uintptr_t address) { return (address >> kUnitShift) & (kUnitCount - 1); }
}  // namespace detail

// The unit that `p` lies in; use == Use{} if hakmem holds none there. A superslab's unit may be
// mapped only in part, and a huge block's last unit too: the holder knows its extent.
inline Unit find(const void *p) {
  const size_t index = detail::index_of(address_of(p));
  const uintptr_t word = detail::g_units[index].load(std::memory_order_acquire);
  if (word == detail::kReserved) return {Use{}, nullptr};
  return {static_cast<Use>(word & detail::kUseMask), as_pointer(word & ~detail::kUseMask)};
}

// Where the unit table lies, and its size.
const void *table();
inline constexpr size_t kTableBytes = kUnitCount * sizeof(uintptr_t);

void lock_for_fork();
void unlock_after_fork();
void reset_after_fork();

}  // namespace address_window
}  // namespace hakmem

#endif  // HAKMEM_SUPERSLAB_ADDRESS_WINDOW_H_
