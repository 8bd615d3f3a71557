// new_failed.h - operator new when there was no memory, or when it is the program's.
//
// Purpose:    the new handler and bad_alloc, in libraries that are built without exceptions.
// Boundary:   the C++ runtime is not linked: what is needed of it is taken from the
//             program, or from a library that it has opened; one of them has it if operator new is
//             called at all.
#ifndef HAKMEM_PRELOAD_NEW_FAILED_H_
#define HAKMEM_PRELOAD_NEW_FAILED_H_

#include <cstddef>
#include <new>

namespace hakmem {

// Tries again after each call of the program's new handler; throws bad_alloc when there is none.
void *new_failed(size_t size, size_t alignment);
// The same, but NULL in place of any exception, be it the handler's own.
void *new_failed_nothrow(size_t size, size_t alignment) noexcept;

// What the program has put in the place of operator new, and NULL in place of any exception.
void *call_nothrow(void *(*allocate)(size_t), size_t size) noexcept;
void *call_nothrow(void *(*allocate)(size_t, std::align_val_t), size_t size,
                   std::align_val_t alignment) noexcept;

}  // namespace hakmem

#endif  // HAKMEM_PRELOAD_NEW_FAILED_H_
