// plugin_object.h - facts about loaded shared objects: who holds an address, and its build-id.
//
// Purpose: the one wrapper around dladdr, dlinfo and dl_iterate_phdr.
// Boundary: loader, generic adapter and check.
// Threads: as the dynamic loader's own: any.
#pragma once

#include <link.h>

#include <string>

namespace hakbench {

// The object that holds `address`; NULL if none does (heap, stack, anonymous memory).
const link_map *object_of(const void *address);

// The object behind a dlopen handle.
const link_map *object_of_handle(void *handle);

// The function or data `name` if `handle`'s own file defines it, else NULL. dlsym alone would also
// find it in the libraries that the file depends on, for example the C library's malloc.
void *own_symbol(void *handle, const char *name);

// The file of the object; the running program's for the main object, whose name is empty.
std::string file_of(const link_map *object);

// Lower-case hex of the NT_GNU_BUILD_ID note; empty if there is none.
std::string build_id_of(const link_map *object);

// The C library's handle, whatever is preloaded. Never NULL in a glibc process.
void *libc_handle();

}  // namespace hakbench
