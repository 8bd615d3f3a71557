#include "fake_kernel.h"

#include <atomic>

namespace hakmem::test {
namespace {

struct State {
  std::atomic<uint64_t> now_ms{1'000'000'000};  // later than any real clock reading of a run before
  std::atomic<uint64_t> calls{0}, discards{0}, maps{0}, populates{0};
  std::atomic<uint64_t> wanted{0}, refused{0};
  std::atomic<uint64_t> fail_at{UINT64_MAX};
  std::atomic<bool> and_all_after{false}, deny_discard{false};
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
bool resize(void *base, size_t old_bytes, size_t new_bytes) {
  return !must_fail() && os::kLinux.resize(base, old_bytes, new_bytes);
}
bool move(void *base, size_t old_bytes, void *target, size_t new_bytes) {
  return !must_fail() && os::kLinux.move(base, old_bytes, target, new_bytes);
}
bool discard_now(void *base, size_t bytes) {
  if (must_fail() || s.deny_discard) return false;
  ++s.discards;
  return os::kLinux.discard_now(base, bytes);
}
bool discard_lazily(void *base, size_t bytes) {
  if (must_fail() || s.deny_discard) return false;
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
  s.deny_discard = false;
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
uint64_t FakeKernel::calls() const { return s.calls; }
uint64_t FakeKernel::discards() const { return s.discards; }
uint64_t FakeKernel::populates() const { return s.populates; }
uint64_t FakeKernel::maps() const { return s.maps; }
FakeKernel::Advice FakeKernel::advice() const { return {s.wanted, s.refused}; }

}  // namespace hakmem::test
