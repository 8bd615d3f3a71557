// check.h - failing closed: one line on standard error, then abort.
//
// Purpose:    CHECK (always on), ASSERT (debug builds) and the reports of misuse by the program.
// Boundary:   allocates nothing and calls only write(2) and abort(3).
// Threads:    any; lines of several threads do not mix (one write each).
#ifndef HAKMEM_BASE_CHECK_H_
#define HAKMEM_BASE_CHECK_H_

#include <cstddef>

namespace hakmem {

// The size class of a block that was freed so long ago that nobody knows any more.
inline constexpr size_t kClassNotKnown = 0;

// A program error that was detected. Each prints "hakmem: ..." naming the pointer, and aborts.
[[noreturn, gnu::cold]] void report_double_free(const void *block, size_t class_bytes);
[[noreturn, gnu::cold]] void report_foreign_pointer(const char *operation, const void *pointer);
[[noreturn, gnu::cold]] void report_interior_pointer(const char *operation, const void *pointer,
                                                     size_t class_bytes);
[[noreturn, gnu::cold]] void report_size_mismatch(const void *block, size_t claimed_bytes,
                                                  size_t class_bytes);

// The bytes between the end of what was asked for and the end of the block.
[[noreturn, gnu::cold]] void report_heap_overflow(const void *block, size_t class_bytes);
[[noreturn, gnu::cold]] void report_write_after_free(const void *block, size_t offset_bytes,
                                                     size_t class_bytes);

// An invariant of hakmem itself that does not hold.
[[noreturn, gnu::cold]] void report_broken_invariant(const char *condition, const char *file,
                                                     int line);

// One line "hakmem: warning: <text><name><tail>" on standard error; the program goes on.
[[gnu::cold]] void warn(const char *text, const char *name, const char *tail);

}  // namespace hakmem

#define CHECK(condition)              \
  (__builtin_expect(!!(condition), 1) \
       ? void()                       \
       : ::hakmem::report_broken_invariant(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define ASSERT(condition) void(sizeof(!(condition)))
#else
#define ASSERT(condition) CHECK(condition)
#endif

#endif  // HAKMEM_BASE_CHECK_H_
