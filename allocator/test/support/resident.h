// resident.h - how much of the test program's memory is resident.
#ifndef HAKMEM_TEST_SUPPORT_RESIDENT_H_
#define HAKMEM_TEST_SUPPORT_RESIDENT_H_

#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace hakmem_test {

// Bytes, from /proc/self/statm; ends the program if that can't be read.
inline size_t resident_bytes() {
  FILE *statm = std::fopen("/proc/self/statm", "re");
  unsigned long pages = 0;
  if (statm == nullptr || std::fscanf(statm, "%*s %lu", &pages) != 1) {
    std::perror("/proc/self/statm");
    std::exit(1);
  }
  std::fclose(statm);
  return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace hakmem_test

#endif  // HAKMEM_TEST_SUPPORT_RESIDENT_H_
