// linux.cc - os.h's table of the kernel's calls, for Linux.
//
// Boundary:   one call each, and what older kernels lack; no policy. os.h says what each promises.
// Invariants: errno is left as it was.
// Threads:    any.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <time.h>

#include <cerrno>

#include "base/units.h"
#include "os/os.h"

namespace hakmem::os {
namespace {

constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, which older headers do not have

// The malloc family must not disturb errno on success.
class KeepErrno {
 public:
  KeepErrno() : saved_(errno) {}
  ~KeepErrno() { errno = saved_; }
  KeepErrno(const KeepErrno &) = delete;
  KeepErrno &operator=(const KeepErrno &) = delete;

 private:
  int saved_;
};

// Without MAP_NORESERVE, so that the kernel refuses what is more than all memory and swap, as it
// does to the C library: a program that was given that would be killed as it fills it.
void *map(void *place, size_t bytes, bool *taken) {
  const KeepErrno keep;
  const int fixed = place == nullptr ? 0 : MAP_FIXED_NOREPLACE;
  void *p = mmap(place, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);
  *taken = p == MAP_FAILED && errno == EEXIST;
  if (p == MAP_FAILED) return nullptr;
  if (place != nullptr && p != place) {  // a kernel before 4.17 takes the place as a mere hint
    munmap(p, bytes);
    *taken = true;
    return nullptr;
  }
  return p;
}

void *map_unwritable(size_t bytes) {
  const KeepErrno keep;
  void *p = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}

bool unmap(void *base, size_t bytes) {
  const KeepErrno keep;
  return munmap(base, bytes) == 0;
}

bool resize(void *base, size_t old_bytes, size_t new_bytes) {
  const KeepErrno keep;
  return mremap(base, old_bytes, new_bytes, 0) != MAP_FAILED;
}

// Before Linux 6.17 the kernel unmapped the target first, and found out then that the range is of
// several mappings. For all else that it refuses it looks before, or finds the room that the target
// leaves.
Moved move(void *base, size_t old_bytes, void *target, size_t new_bytes) {
  const KeepErrno keep;
  if (mremap(base, old_bytes, new_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, target) != MAP_FAILED) {
    return Moved::kYes;
  }
  const bool unmapped_first = errno == EFAULT && old_bytes == new_bytes;
  bool taken = false;
  return map(target, new_bytes, &taken) == nullptr && taken && unmapped_first ? Moved::kTargetLost
                                                                              : Moved::kNo;
}

bool discard_now(void *base, size_t bytes) {
  const KeepErrno keep;
  return madvise(base, bytes, MADV_DONTNEED) == 0;
}

bool discard_lazily(void *base, size_t bytes) {
  const KeepErrno keep;
  return madvise(base, bytes, MADV_FREE) == 0;
}

void touch(void *base, size_t bytes) {
  for (size_t at = 0; at < bytes; at += kOsPageBytes) {
    static_cast<volatile char *>(base)[at] = 0;
  }
}

bool populate(void *base, size_t bytes) {
  const KeepErrno keep;
  if (madvise(base, bytes, kPopulateWrite) == 0) return true;
  if (errno != EINVAL) return false;
  touch(base, bytes);  // a kernel before 5.14 does not know the advice
  return true;
}

void want_huge_pages(void *base, size_t bytes) {
  const KeepErrno keep;
  madvise(base, bytes, MADV_HUGEPAGE);
}

void refuse_huge_pages(void *base, size_t bytes) {
  const KeepErrno keep;
  madvise(base, bytes, MADV_NOHUGEPAGE);
}

bool set_access(void *base, size_t bytes, bool accessible) {
  const KeepErrno keep;
  return mprotect(base, bytes, accessible ? PROT_READ | PROT_WRITE : PROT_NONE) == 0;
}

uint64_t now_ms() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000 + static_cast<uint64_t>(t.tv_nsec) / 1000000;
}

}  // namespace

constinit const Kernel kLinux = {
    map,         map_unwritable, unmap,    resize,          move,
    discard_now, discard_lazily, populate, want_huge_pages, refuse_huge_pages,
    set_access,  now_ms};
constinit const Kernel *g_kernel = &kLinux;

size_t address_space_limit() {
  const KeepErrno keep;
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  return limit.rlim_cur;
}

size_t hopeless_above_bytes() {
  const size_t limit = address_space_limit();
  if (limit != SIZE_MAX) return limit;
  const KeepErrno keep;
  struct sysinfo machine;
  if (sysinfo(&machine) != 0) return SIZE_MAX;
  return (machine.totalram + machine.totalswap) * machine.mem_unit;
}

}  // namespace hakmem::os
