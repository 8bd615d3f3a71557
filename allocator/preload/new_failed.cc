#include "new_failed.h"

#include <dlfcn.h>

#include <cstdlib>
#include <initializer_list>
#include <new>

#include "api/slow_path.h"
#include "base/check.h"

// libstdc++'s own, if the program brought it.
namespace std {
[[gnu::weak]] new_handler get_new_handler() noexcept;
[[gnu::weak]] void __throw_bad_alloc();
}  // namespace std

// dlopen is looked up by it: the linker warns of a program that is linked statically and names
// that.
extern "C" [[gnu::weak]] void *dlsym(void *, const char *) noexcept;

// The handler may throw, so this file alone is compiled with exceptions, and what the compiler
// calls for a catch or a throw is the program's as well. Without a C++ runtime there is nobody who
// could throw.
asm(".weak __gxx_personality_v0\n"
    ".weak __cxa_begin_catch\n"
    ".weak __cxa_end_catch\n"
    ".weak _Unwind_Resume\n"
    ".weak _ZSt9terminatev\n"
    ".weak __cxa_allocate_exception\n"
    ".weak __cxa_throw\n"
    ".weak _ZTISt9bad_alloc\n"
    ".weak _ZTVSt9bad_alloc\n"
    ".weak _ZNSt9bad_allocD1Ev\n");
[[gnu::weak]] void cxa_throw() asm("__cxa_throw");
[[gnu::weak]] extern const char bad_alloc_type asm("_ZTISt9bad_alloc");

namespace hakmem {
namespace {

using GetNewHandler = std::new_handler() noexcept;
using ThrowBadAlloc = void();

struct Runtime {
  GetNewHandler *get_new_handler;
  ThrowBadAlloc *throw_bad_alloc;
};

[[noreturn]] void throw_bad_alloc() { throw std::bad_alloc(); }

Runtime find_runtime() {
  Runtime found{std::get_new_handler, std::__throw_bad_alloc};
  if (found.throw_bad_alloc != nullptr) return found;
  // Of libstdc++.a only what the program asks for is linked, and that may be less.
  if (cxa_throw != nullptr && &bad_alloc_type != nullptr)
    return {found.get_new_handler, throw_bad_alloc};
  // A program without C++ that has opened a library with C++ has its runtime too, but not in our
  // sight. It stays open, for the exception is its own.
  if (dlsym == nullptr) return found;
  auto *open = reinterpret_cast<decltype(dlopen) *>(dlsym(RTLD_DEFAULT, "dlopen"));
  if (open == nullptr) return found;
  for (const char *name : {"libstdc++.so.6", "libc++.so.1"}) {
    void *library = open(name, RTLD_LAZY | RTLD_NOLOAD);
    if (library == nullptr) continue;
    return {reinterpret_cast<GetNewHandler *>(dlsym(library, "_ZSt15get_new_handlerv")),
            reinterpret_cast<ThrowBadAlloc *>(dlsym(library, "_ZSt17__throw_bad_allocv"))};
  }
  return found;
}

// NULL if there is no handler to ask for memory (any more).
void *retry(GetNewHandler *get_new_handler, size_t size, size_t alignment) {
  while (get_new_handler != nullptr) {
    const std::new_handler handler = get_new_handler();
    if (handler == nullptr) break;
    handler();
    void *block = allocate_aligned(alignment, size);
    if (block != nullptr) return block;
  }
  return nullptr;
}

}  // namespace

void *new_failed(size_t size, size_t alignment) {
  const Runtime runtime = find_runtime();
  void *block = retry(runtime.get_new_handler, size, alignment);
  if (block != nullptr) return block;
  if (runtime.throw_bad_alloc != nullptr) runtime.throw_bad_alloc();
  warn("operator new has no memory, and no C++ runtime is in sight that throws ", "bad_alloc", "");
  abort();
}

// Only a runtime that is the program's can catch here what a handler throws.
void *new_failed_nothrow(size_t size, size_t alignment) noexcept {
  try {
    return retry(std::get_new_handler, size, alignment);
  } catch (...) {
    return nullptr;
  }
}

void *call_nothrow(void *(*allocate)(size_t), size_t size) noexcept {
  try {
    return allocate(size);
  } catch (...) {
    return nullptr;
  }
}

void *call_nothrow(void *(*allocate)(size_t, std::align_val_t), size_t size,
                   std::align_val_t alignment) noexcept {
  try {
    return allocate(size, alignment);
  } catch (...) {
    return nullptr;
  }
}

}  // namespace hakmem
