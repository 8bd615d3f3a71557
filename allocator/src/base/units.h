// units.h - sizes, alignment arithmetic and bit tricks used by every layer.
//
// Purpose:    one spelling for KiB/MiB and for rounding.
// Owns:       nothing.
// Boundary:   pure constexpr functions; powers of two where the name says so.
#ifndef HAKMEM_BASE_UNITS_H_
#define HAKMEM_BASE_UNITS_H_

#include <cstddef>
#include <cstdint>

namespace hakmem {

inline constexpr size_t kKiB = size_t{1} << 10;
inline constexpr size_t kMiB = size_t{1} << 20;

inline constexpr size_t kOsPageShift = 12;
inline constexpr size_t kOsPageBytes = size_t{1} << kOsPageShift;

// The alignment of every block, and the distance of the smallest size classes.
inline constexpr size_t kMinAlign = 16;

constexpr bool is_pow2(size_t x) { return x != 0 && (x & (x - 1)) == 0; }
constexpr uintptr_t align_down(uintptr_t x, size_t pow2) { return x & ~(uintptr_t{pow2} - 1); }
constexpr uintptr_t align_up(uintptr_t x, size_t pow2) { return align_down(x + pow2 - 1, pow2); }
constexpr size_t div_up(size_t x, size_t y) { return (x + y - 1) / y; }

// std::popcount without the instruction, which not every x86-64 has, is a call into the compiler's library.
inline size_t count_bits(uint64_t word) {
  word -= word >> 1 & 0x5555555555555555;
  word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
  word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
  return static_cast<size_t>(word * 0x0101010101010101 >> 56);
}

inline uintptr_t address_of(const void *p) { return reinterpret_cast<uintptr_t>(p); }
inline void *as_pointer(uintptr_t address) {
  return reinterpret_cast<void *>(address);  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace hakmem

#endif  // HAKMEM_BASE_UNITS_H_
