#include "recording_allocator.h"

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <unordered_map>

namespace hakbench {
namespace {

constexpr size_t kGuardBytes = 16;
constexpr unsigned char kGuard = 0x5C;
constexpr size_t kMaxFirstSizes = 32;

struct Books {
  std::mutex lock;
  Recording recording;
  std::unordered_map<void *, size_t> sizes;
  uint64_t fail_every = 0;
};

Books &books() {
  static Books instance;
  return instance;
}

void note_fault(const std::string &fault) {
  if (books().recording.fault.empty()) books().recording.fault = fault;
}

void *recording_malloc(size_t size) {
  Books &b = books();
  const std::lock_guard guard(b.lock);
  ++b.recording.mallocs;
  if (b.recording.first_sizes.size() < kMaxFirstSizes) b.recording.first_sizes.push_back(size);
  if (b.fail_every != 0 && b.recording.mallocs % b.fail_every == 0) return nullptr;
  void *const block = std::malloc(size + kGuardBytes);
  std::memset(static_cast<unsigned char *>(block) + size, kGuard, kGuardBytes);
  b.sizes[block] = size;
  b.recording.live_bytes += size;
  return block;
}

void recording_free(void *block) {
  Books &b = books();
  const std::lock_guard guard(b.lock);
  ++b.recording.frees;
  if (block == nullptr) return;
  const auto entry = b.sizes.find(block);
  if (entry == b.sizes.end()) return note_fault("free of a block that is not live");
  const auto *const guard_bytes = static_cast<unsigned char *>(block) + entry->second;
  for (size_t i = 0; i < kGuardBytes; ++i) {
    if (guard_bytes[i] != kGuard) note_fault("write beyond the end of a block");
  }
  b.recording.live_bytes -= entry->second;
  b.sizes.erase(entry);
  std::free(block);
}

}  // namespace

const allocator_plugin &recording_allocator() {
  static const allocator_plugin table = [] {
    allocator_plugin t{};
    t.struct_size = sizeof t;
    t.abi_version = ALLOCATOR_PLUGIN_ABI_VERSION;
    t.name = "recording";
    t.malloc = &recording_malloc;
    t.free = &recording_free;
    return t;
  }();
  return table;
}

Recording recording() {
  const std::lock_guard guard(books().lock);
  return books().recording;
}

void reset_recording(uint64_t fail_every) {
  const std::lock_guard guard(books().lock);
  for (const auto &[block, size] : books().sizes) std::free(block);
  books().sizes.clear();
  books().recording = Recording{};
  books().fail_every = fail_every;
}

}  // namespace hakbench
