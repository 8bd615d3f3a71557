// misuse.h - shared by the programs that misuse the allocator.
//
// Purpose: tell the runner which pointer the report must name, and keep the compiler from seeing
//   where that pointer came from.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdio>

#include "hakmem/hakmem.h"

// Prints the pointer on standard output, as the report prints it. Uses no allocator.
inline void *announce(void *pointer) {
  char line[32];
  const int length =
      std::snprintf(line, sizeof line, "%#jx\n", reinterpret_cast<uintmax_t>(pointer));
  [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, line, static_cast<size_t>(length));
  void *volatile hidden = pointer;
  return hidden;
}

// A write that the compiler can neither see through nor leave out.
inline void write_byte(void *pointer, size_t at, unsigned char byte) {
  static_cast<volatile unsigned char *>(pointer)[at] = byte;
}

inline void *offset(void *pointer, size_t bytes) { return static_cast<char *>(pointer) + bytes; }
