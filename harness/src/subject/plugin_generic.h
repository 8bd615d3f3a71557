// plugin_generic.h - the generic adapter: a malloc library that is no plugin, seen as one.
//
// Purpose: finds the library's malloc family by the prefixes in use and fills a table with it.
// Boundary: the loader.
// Invariants: the table holds the library's own addresses (only init and thread_end of rpmalloc,
//   whose arguments differ, go through an adapter; both are outside the timed part).
// Threads: call from one thread. At most one rpmalloc a process.
#pragma once

#include <memory>
#include <string>

#include "allocator_plugin.h"

namespace hakbench {

// A table with its texts; `table` points into the rest, so it stays where it is.
struct GenericTable {
  allocator_plugin table{};
  std::string name;
  std::string build_config;
};

// NULL if the file behind `handle` itself defines no malloc and free of a known family.
std::unique_ptr<GenericTable> wrap_malloc_library(void *handle, const std::string &name);

// "mi_malloc, rpmalloc, ...": what the adapter looks for, for messages.
std::string known_malloc_names();

// The address of the first malloc of a known family that `handle` or its dependencies, other than
// the C library, define; NULL if none. Shows an allocator behind a wrapper.
void *find_any_malloc(void *handle);

}  // namespace hakbench
