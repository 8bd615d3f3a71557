// probe.cc - prints which library each function of the malloc family comes from.
//
// Purpose: one function left to the C library is enough to free its block with the wrong allocator.
#include <dlfcn.h>

#include <cstdio>

int main() {
  const char *const family[] = {
      "malloc", "calloc", "realloc", "reallocarray", "free", "aligned_alloc", "posix_memalign",
      "memalign", "valloc", "pvalloc", "malloc_usable_size", "__libc_malloc", "__libc_calloc",
      "__libc_realloc", "__libc_free", "__libc_memalign", "__libc_valloc", "__libc_pvalloc",
      // C++: new, new[], nothrow, aligned; delete, delete[], sized, aligned, sized and aligned.
      "_Znwm", "_Znam", "_ZnwmRKSt9nothrow_t", "_ZnamRKSt9nothrow_t", "_ZnwmSt11align_val_t",
      "_ZnamSt11align_val_t", "_ZnwmSt11align_val_tRKSt9nothrow_t",
      "_ZnamSt11align_val_tRKSt9nothrow_t", "_ZdlPv", "_ZdaPv", "_ZdlPvm", "_ZdaPvm",
      "_ZdlPvSt11align_val_t", "_ZdaPvSt11align_val_t", "_ZdlPvmSt11align_val_t",
      "_ZdaPvmSt11align_val_t", "_ZdlPvRKSt9nothrow_t", "_ZdaPvRKSt9nothrow_t",
      "_ZdlPvSt11align_val_tRKSt9nothrow_t", "_ZdaPvSt11align_val_tRKSt9nothrow_t"};
  for (const char *name : family) {
    Dl_info info{};
    void *address = dlsym(RTLD_DEFAULT, name);
    const bool known = address != nullptr && dladdr(address, &info) != 0;
    std::printf("%s %s\n", name, known ? info.dli_fname : "(nowhere)");
  }
}
