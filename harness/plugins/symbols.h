/* symbols.h - the malloc family of one particular library, whatever else is loaded.
 *
 * A plain reference to `malloc`, and RTLD_NEXT too, finds what the process resolved, which may be a
 * preloaded allocator. dlsym on the library's own handle looks there first, and no further.
 */
#ifndef PLUGINS_SYMBOLS_H_
#define PLUGINS_SYMBOLS_H_

#include <dlfcn.h>
#include <stddef.h>

/* A function pointer member of a struct can't be assigned from dlsym's void * in strict C. */
#define PLUGIN_SYMBOL(target, handle, name) (*(void **)&(target) = dlsym(handle, name))

/* The handle of the loaded library that holds `function`, or NULL. */
static inline void *plugin_library_of(void *function) {
  Dl_info info;
  if (dladdr(function, &info) == 0) return NULL;
  return dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
}

#endif /* PLUGINS_SYMBOLS_H_ */
