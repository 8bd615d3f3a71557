// sizeclass.h - which block size serves a request.
//
// Purpose:    bytes -> size class and back, in one place.
// Owns:       constexpr tables only.
// Boundary:   class 0 means "no class". Sizes rise by 16 bytes up to 128, then by an eighth of a
//             doubling up to 32 KiB. One byte table gives the class of a request: the fast path's cost
//             is the same however fine the classes are, so memory alone decided (docs/analysis/0013).
// Invariants: class_bytes(class_of(n)) >= n; class sizes rise strictly and are multiples of 16.
#ifndef HAKMEM_SIZECLASS_SIZECLASS_H_
#define HAKMEM_SIZECLASS_SIZECLASS_H_

#include <array>

#include "base/units.h"

namespace hakmem {

using SizeClass = uint8_t;

inline constexpr size_t kMaxSmallBytes = 32 * kKiB;  // largest request served by a size class
inline constexpr size_t kClassesPerDoubling = 8;
inline constexpr size_t kEvenClasses = kClassesPerDoubling;  // 16, 32 .. 128 bytes
inline constexpr size_t kDoublings = 8;                      // 128 bytes -> 32 KiB
inline constexpr size_t kClassCount = 1 + kEvenClasses + kClassesPerDoubling * kDoublings;

inline constexpr size_t kSlabShift = 16;
inline constexpr size_t kSlabBytes = size_t{1} << kSlabShift;

// Exact for every offset in a span: 2^44 exceeds span bytes * block bytes (2^18 * 2^15), and the
// product with an offset stays below 2^63.
inline constexpr size_t kReciprocalShift = 44;

struct ClassInfo {
  uint64_t reciprocal;  // ceil(2^44 / bytes): offset * reciprocal >> 44 == offset / bytes
  uint32_t bytes;       // block size
  uint16_t capacity;    // blocks in a slab span
  uint16_t span_slabs;  // slabs in a span
};

namespace detail {

constexpr uint32_t class_size(size_t c) {
  if (c <= kEvenClasses) return static_cast<uint32_t>(c * kMinAlign);
  const size_t step = c - kEvenClasses;  // 1..64
  const size_t doubling = (step - 1) / kClassesPerDoubling;
  const size_t within = (step - 1) % kClassesPerDoubling + 1;
  const size_t base = (kEvenClasses * kMinAlign) << doubling;
  return static_cast<uint32_t>(base + within * (base / kClassesPerDoubling));
}

// Few blocks in a slab mean frequent trips to the page heap; tails that are never touched cost
// address space only.
constexpr uint16_t span_slabs(size_t bytes) {
  return bytes <= 4 * kKiB ? 1 : bytes <= 8 * kKiB ? 2 : 4;
}

constexpr auto make_class_info() {
  std::array<ClassInfo, kClassCount> info{};
  for (size_t c = 1; c < kClassCount; ++c) {
    const uint32_t bytes = class_size(c);
    const uint16_t span = span_slabs(bytes);
    info[c] = {div_up(uint64_t{1} << kReciprocalShift, bytes), bytes,
               static_cast<uint16_t>(span * kSlabBytes / bytes), span};
  }
  return info;
}

// The class of every multiple of 16 bytes; [0] is 0.
constexpr auto make_class_table() {
  std::array<SizeClass, kMaxSmallBytes / kMinAlign + 1> table{};
  size_t c = 1;
  for (size_t i = 1; i < table.size(); ++i) {
    if (class_size(c) < i * kMinAlign) ++c;
    table[i] = static_cast<SizeClass>(c);
  }
  return table;
}

}  // namespace detail

inline constexpr auto kClassInfo = detail::make_class_info();
alignas(64) inline constexpr auto kClassTable = detail::make_class_table();

// Whether an offset is a multiple of the block size, from offset * reciprocal: the low 44 bits are
// the remainder's share of the reciprocal (Lemire, Kaser and Kurz, 2019).
constexpr bool divides(uint64_t quotient, uint64_t reciprocal) {
  return quotient << (64 - kReciprocalShift) < reciprocal << (64 - kReciprocalShift);
}

// Request of 0..kMaxSmallBytes bytes; 0 bytes gives class 0. Of a multiple of a power of two it is a class
// whose size is one too: classes rise by steps of powers of two, and a multiple of the step or more is
// a class's size.
constexpr size_t class_by_table(size_t bytes) {
  return kClassTable[(bytes + kMinAlign - 1) / kMinAlign];
}

// The same; 0 bytes is served as 1.
constexpr SizeClass class_of(size_t bytes) {
  return static_cast<SizeClass>(bytes == 0 ? 1 : class_by_table(bytes));
}

constexpr size_t class_bytes(SizeClass c) { return kClassInfo[c].bytes; }

static_assert(kClassCount == 73 && class_bytes(kClassCount - 1) == kMaxSmallBytes);
static_assert(class_bytes(kEvenClasses + 1) == class_bytes(kEvenClasses) * 9 / 8);

}  // namespace hakmem

#endif  // HAKMEM_SIZECLASS_SIZECLASS_H_
