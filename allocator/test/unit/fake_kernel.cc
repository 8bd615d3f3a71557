#include "fake_kernel.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdio>
#include <utility>
#include <vector>

namespace hakmem::test {
namespace {

struct State {
  std::atomic<uint64_t> now_ms{1'000'000'000};  // later than any real clock reading of a run before
  std::atomic<uint64_t> calls{0}, discards{0}, lazy_discards{0}, maps{0}, populates{0};
  std::atomic<uint64_t> wanted{0}, refused{0};
  std::atomic<uint64_t> fail_at{UINT64_MAX};
  std::atomic<bool> and_all_after{false}, deny_discard{false}, lose_targets{false};
  std::atomic<bool> refuse_lazy_discard{false};
  std::vector<std::pair<void *, size_t>> lost;
};
State s;

bool must_fail() {
  const uint64_t n = s.calls++;
  const uint64_t at = s.fail_at;
  return n == at || (s.and_all_after && n > at);
}

void *map(void *place, size_t bytes, bool *taken) {
  *taken = false;
  if (must_fail()) return nullptr;
  ++s.maps;
  return os::kLinux.map(place, bytes, taken);
}
void *map_unwritable(size_t bytes) {
  return must_fail() ? nullptr : os::kLinux.map_unwritable(bytes);
}
bool unmap(void *base, size_t bytes) { return !must_fail() && os::kLinux.unmap(base, bytes); }
// Whether the range is of one of the kernel's mappings.
bool is_one_mapping(const void *base, size_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(base);
  FILE *maps = fopen("/proc/self/maps", "re");
  bool is_one = false;
  unsigned long first = 0, end = 0;
  while (!is_one && maps != nullptr && fscanf(maps, "%lx-%lx%*[^\n]", &first, &end) == 2) {
    is_one = first <= begin && begin + bytes <= end;
  }
  if (maps != nullptr) fclose(maps);
  return is_one;
}
bool resize(void *base, size_t old_bytes, size_t new_bytes) {
  return !must_fail() && is_one_mapping(base, old_bytes) &&
         os::kLinux.resize(base, old_bytes, new_bytes);
}
os::Moved move(void *base, size_t old_bytes, void *target, size_t new_bytes) {
  const bool fails = must_fail();
  if (!fails && is_one_mapping(base, old_bytes)) {
    return os::kLinux.move(base, old_bytes, target, new_bytes);
  }
  if (!s.lose_targets) return os::Moved::kNo;
  mmap(target, new_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  s.lost.emplace_back(target, new_bytes);
  return os::Moved::kTargetLost;
}
bool discard_now(void *base, size_t bytes) {
  if (must_fail() || s.deny_discard) return false;
  ++s.discards;
  return os::kLinux.discard_now(base, bytes);
}
bool discard_lazily(void *base, size_t bytes) {
  ++s.lazy_discards;
  if (must_fail() || s.deny_discard || s.refuse_lazy_discard) return false;
  ++s.discards;
  return os::kLinux.discard_lazily(base, bytes);
}
bool populate(void *base, size_t bytes) {
  if (must_fail()) return false;
  ++s.populates;
  return os::kLinux.populate(base, bytes);
}
bool set_access(void *base, size_t bytes, bool accessible) {
  return !must_fail() && os::kLinux.set_access(base, bytes, accessible);
}
void want_huge_pages(void *, size_t) { ++s.wanted; }
void refuse_huge_pages(void *, size_t) { ++s.refused; }
uint64_t now_ms() { return s.now_ms; }

constinit const os::Kernel kFake = {
    map,         map_unwritable, unmap,    resize,          move,
    discard_now, discard_lazily, populate, want_huge_pages, refuse_huge_pages,
    set_access,  now_ms};

}  // namespace

FakeKernel::FakeKernel() {
  fail_none();
  s.deny_discard = s.lose_targets = s.refuse_lazy_discard = false;
  os::g_kernel = &kFake;
}
FakeKernel::~FakeKernel() { os::g_kernel = &os::kLinux; }

void FakeKernel::advance_ms(uint64_t ms) { s.now_ms += ms; }
void FakeKernel::fail_call(uint64_t n, bool and_all_after) {
  s.and_all_after = and_all_after;
  s.fail_at = s.calls + n;
}
void FakeKernel::fail_none() { s.fail_at = UINT64_MAX; }
void FakeKernel::deny_discard(bool deny) { s.deny_discard = deny; }
void FakeKernel::refuse_lazy_discard(bool refuse) { s.refuse_lazy_discard = refuse; }
void FakeKernel::lose_targets(bool lose) { s.lose_targets = lose; }
size_t FakeKernel::unmap_lost_targets() {
  size_t there = 0;
  for (const auto &[target, bytes] : s.lost) {
    there += is_one_mapping(target, bytes) ? 1 : 0;
    munmap(target, bytes);
  }
  const size_t gone = s.lost.size() - there;
  s.lost.clear();
  return gone;
}
uint64_t FakeKernel::calls() const { return s.calls; }
uint64_t FakeKernel::discards() const { return s.discards; }
uint64_t FakeKernel::lazy_discards() const { return s.lazy_discards; }
uint64_t FakeKernel::populates() const { return s.populates; }
uint64_t FakeKernel::maps() const { return s.maps; }
FakeKernel::Advice FakeKernel::advice() const { return {s.wanted, s.refused}; }

}  // namespace hakmem::test
