#include "workload/recording_allocator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>

namespace hakbench {
namespace {

using Byte = unsigned char;

constexpr size_t kGuardBytes = 16;
constexpr Byte kGuard = 0x5C;
constexpr Byte kFreed = 0xDD;  // so that memory used again is not zero by chance
// Larger blocks are filled, and looked at, at both ends and once a page between.
constexpr size_t kWholeBytes = 4096;
constexpr size_t kPageBytes = 4096;
constexpr size_t kMaxFirstSizes = 32;

// What the bytes that the user does not write must be.
enum class Content { kPattern, kZero, kUsers };

struct Block {
  size_t size;
  uint64_t serial;
  Content content;
};

struct Books {
  ~Books() { free_blocks(); }
  void free_blocks() {
    for (const auto &[bytes, block] : blocks) real.free(bytes);
    blocks.clear();
  }

  std::mutex lock;
  Recording recording;
  std::map<Byte *, Block> blocks;
  uint64_t fail_every = 0;
  allocator_plugin real{};
  uint64_t written_bytes = 0;
};

Books &books() {
  static Books instance;
  return instance;
}

void note_fault(const std::string &fault) {
  const std::lock_guard guard(books().lock);
  if (books().recording.fault.empty()) books().recording.fault = fault;
}

Byte expected_byte(const Block &block, size_t at) {
  return block.content == Content::kZero ? Byte{0} : static_cast<Byte>(block.serial * 31 + at);
}

template <class Visit>
void for_watched_bytes(size_t from, size_t size, Visit visit) {
  for (size_t at = from; at < size;
       at += at < kWholeBytes || at + kWholeBytes >= size ? 1 : kPageBytes) {
    visit(at);
  }
}

void check_zero(const Byte *bytes, size_t size) {
  for (size_t at = 0; at < size; ++at) {
    if (bytes[at] != 0) return note_fault("calloc returned memory that is not zero");
  }
}

// Counts the call; false if it is one that must fail.
bool admit(size_t size) {
  Books &b = books();
  const std::lock_guard guard(b.lock);
  ++b.recording.mallocs;
  if (b.recording.first_sizes.size() < kMaxFirstSizes) b.recording.first_sizes.push_back(size);
  return b.fail_every == 0 || b.recording.mallocs % b.fail_every != 0;
}

// Fills a new block and enters it in the books. The serial number is the call's.
void enter(Byte *bytes, size_t size, size_t alignment, Content content) {
  if (reinterpret_cast<uintptr_t>(bytes) % alignment != 0)
    note_fault("a block is not aligned to " + std::to_string(alignment) + " bytes");
  std::memset(bytes + size, kGuard, kGuardBytes);
  Books &b = books();
  Block block{size, 0, content};
  bool overlaps;
  {
    const std::lock_guard guard(b.lock);
    block.serial = b.recording.mallocs;
    const auto next = b.blocks.lower_bound(bytes);
    overlaps = next != b.blocks.end() && next->first < bytes + size + kGuardBytes;
    if (next != b.blocks.begin()) {
      const auto &[start, before] = *std::prev(next);
      overlaps = overlaps || start + before.size + kGuardBytes > bytes;
    }
    b.blocks[bytes] = block;
    b.recording.live_bytes += size;
  }
  if (overlaps) note_fault("a block overlaps another that is live");
  if (content != Content::kPattern) return;
  for_watched_bytes(0, size, [&](size_t at) { bytes[at] = expected_byte(block, at); });
}

// Takes a block out of the books and looks at it. Nothing if it is not live.
std::optional<Block> leave(Byte *bytes) {
  Books &b = books();
  Block block;
  {
    const std::lock_guard guard(b.lock);
    const auto entry = b.blocks.find(bytes);
    if (entry == b.blocks.end()) return std::nullopt;
    block = entry->second;
    b.recording.live_bytes -= block.size;
    b.blocks.erase(entry);
  }
  for (size_t i = 0; i < kGuardBytes; ++i) {
    if (bytes[block.size + i] != kGuard) note_fault("write beyond the end of a block");
  }
  if (block.content == Content::kUsers || b.written_bytes >= block.size) return block;
  for_watched_bytes(b.written_bytes, block.size, [&](size_t at) {
    if (bytes[at] != expected_byte(block, at))
      note_fault("a block's content changed while it was live");
  });
  return block;
}

void *recording_malloc(size_t size) {
  if (!admit(size)) return nullptr;
  auto *const bytes = static_cast<Byte *>(books().real.malloc(size + kGuardBytes));
  if (bytes != nullptr) enter(bytes, size, 1, Content::kPattern);
  return bytes;
}

void *recording_calloc(size_t count, size_t size) {
  size_t total;
  if (__builtin_mul_overflow(count, size, &total) || !admit(total)) return nullptr;
  auto *const bytes = static_cast<Byte *>(books().real.calloc(1, total + kGuardBytes));
  if (bytes == nullptr) return nullptr;
  check_zero(bytes, total);
  enter(bytes, total, 1, Content::kZero);
  return bytes;
}

void *recording_aligned_alloc(size_t alignment, size_t size) {
  if (!admit(size)) return nullptr;
  const size_t padded = (size + kGuardBytes + alignment - 1) / alignment * alignment;
  auto *const bytes = static_cast<Byte *>(books().real.aligned_alloc(alignment, padded));
  if (bytes != nullptr) enter(bytes, size, alignment, Content::kPattern);
  return bytes;
}

void *recording_realloc(void *old, size_t size) {
  if (old == nullptr) return recording_malloc(size);
  if (!admit(size)) return nullptr;
  auto *const old_bytes = static_cast<Byte *>(old);
  const std::optional<Block> before = leave(old_bytes);
  if (!before.has_value()) {
    note_fault("realloc of a block that is not live");
    return nullptr;
  }
  const std::vector<Byte> content(old_bytes, old_bytes + std::min(before->size, size));
  auto *const bytes = static_cast<Byte *>(books().real.realloc(old, size + kGuardBytes));
  if (bytes == nullptr) {
    enter(old_bytes, before->size, 1, Content::kUsers);
    return nullptr;
  }
  if (!std::equal(content.begin(), content.end(), bytes))
    note_fault("realloc lost a block's content");
  enter(bytes, size, 1, Content::kUsers);
  return bytes;
}

void recording_free(void *block) {
  Books &b = books();
  {
    const std::lock_guard guard(b.lock);
    ++b.recording.frees;
  }
  if (block == nullptr) return;
  auto *const bytes = static_cast<Byte *>(block);
  const std::optional<Block> left = leave(bytes);
  if (!left.has_value()) return note_fault("free of a block that is not live");
  for_watched_bytes(0, left->size, [&](size_t at) { bytes[at] = kFreed; });
  b.real.free(block);
}

}  // namespace

const allocator_plugin &record_calls_of(const allocator_plugin &real, uint64_t written_bytes) {
  static allocator_plugin table;
  books().real = real;
  books().written_bytes = written_bytes;
  table = real;
  table.malloc = &recording_malloc;
  table.free = &recording_free;
  if (real.calloc != nullptr) table.calloc = &recording_calloc;
  if (real.realloc != nullptr) table.realloc = &recording_realloc;
  if (real.aligned_alloc != nullptr) table.aligned_alloc = &recording_aligned_alloc;
  table.free_sized = nullptr;
  table.usable_size = nullptr;  // the guard is not the user's
  return table;
}

const allocator_plugin &recording_allocator(uint64_t written_bytes) {
  allocator_plugin libc{};
  libc.struct_size = sizeof libc;
  libc.abi_version = ALLOCATOR_PLUGIN_ABI_VERSION;
  libc.name = "recording";
  libc.malloc = &std::malloc;
  libc.calloc = &std::calloc;
  libc.realloc = &std::realloc;
  libc.aligned_alloc = &std::aligned_alloc;
  libc.free = &std::free;
  return record_calls_of(libc, written_bytes);
}

Recording recording() {
  const std::lock_guard guard(books().lock);
  return books().recording;
}

void reset_recording(uint64_t fail_every) {
  const std::lock_guard guard(books().lock);
  books().free_blocks();
  books().recording = Recording{};
  books().fail_every = fail_every;
}

}  // namespace hakbench
