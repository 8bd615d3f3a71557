#include "support/model.h"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <iterator>

#include "hakmem/hakmem.h"
#include "support/pattern.h"

namespace hakmem_test {
namespace {

constexpr size_t kMinAlignment = 16;
// No errno value of any system: whoever stores to errno is seen.
constexpr int kErrnoMark = 7777;

const char *const kNames[kOpKinds] = {"malloc",        "calloc",         "realloc", "reallocarray",
                                      "aligned_alloc", "posix_memalign", "free",    "free_sized",
                                      "free_sized",    "purge",          "purge"};

[[gnu::format(printf, 1, 2), noreturn]] void violate(const char *format, ...) {
  char line[512];
  va_list args;
  va_start(args, format);
  std::vsnprintf(line, sizeof line, format, args);
  va_end(args);
  throw Violation(line);
}

const char *name_of(const Op &op) { return kNames[static_cast<size_t>(op.kind)]; }

// calloc and reallocarray get count x size; the other kinds the size itself.
size_t element_count(const Op &op) {
  if (op.kind != OpKind::kCalloc && op.kind != OpKind::kReallocarray) return 1;
  return op.count == 0 ? 1 : op.count;
}

}  // namespace

Model::Model(size_t slots, size_t max_live_bytes)
    : slots_(slots), max_live_bytes_(max_live_bytes) {}

Model::~Model() {
  for (Block &block : slots_) hakmem_free(block.start);
}

void Model::apply(const Op &op) {
  Block &block = slots_[op.slot % slots_.size()];
  errno = kErrnoMark;
  switch (op.kind) {
    case OpKind::kMalloc:
    case OpKind::kCalloc:
    case OpKind::kAlignedAlloc:
    case OpKind::kPosixMemalign:
      release(OpKind::kFree, block);
      allocate(op, block);
      break;
    case OpKind::kRealloc:
    case OpKind::kReallocarray:
      reallocate(op, block);
      break;
    case OpKind::kFree:
    case OpKind::kFreeSized:
    case OpKind::kFreeUsableSized:
      release(op.kind, block);
      break;
    case OpKind::kPurgeThread:
      hakmem_purge(HAKMEM_PURGE_THREAD);
      break;
    case OpKind::kPurgeAll:
      hakmem_purge(HAKMEM_PURGE_ALL);
      break;
  }
  if (errno != kErrnoMark) violate("%s succeeded but set errno to %d", name_of(op), errno);
}

void Model::check_all() const {
  for (const auto &[start, block] : live_) check(*block, "while live");
}

void Model::allocate(const Op &op, Block &block) {
  if (live_bytes_ + op.size > max_live_bytes_) return;
  const size_t count = element_count(op);
  const size_t element = op.size / count;
  const size_t size = element * count;
  size_t alignment = 0;
  void *start = nullptr;
  switch (op.kind) {
    case OpKind::kCalloc:
      start = hakmem_calloc(count, element);
      if (start != nullptr && first_nonzero(start, size) != kIntact)
        violate("calloc(%zu, %zu) = %p: byte %zu is not zero", count, element, start,
                first_nonzero(start, size));
      break;
    case OpKind::kAlignedAlloc:
      alignment = size_t{1} << op.alignment_log2;
      start = hakmem_aligned_alloc(alignment, size);
      break;
    case OpKind::kPosixMemalign: {
      alignment = size_t{1} << op.alignment_log2;
      if (alignment < sizeof(void *)) alignment = sizeof(void *);
      const int error = hakmem_posix_memalign(&start, alignment, size);
      if (error != 0) violate("posix_memalign(%zu, %zu) returned %d", alignment, size, error);
      break;
    }
    default:
      start = hakmem_malloc(size);
      break;
  }
  adopt(block, start, size, alignment, op);
}

void Model::reallocate(const Op &op, Block &block) {
  const size_t count = element_count(op);
  const size_t element = op.size / count;
  // Size 0 is the one case that the API contract, not the model, tests.
  const size_t size = element * count;
  if (size == 0) return;
  if (live_bytes_ - block.usable + size > max_live_bytes_) return;

  const Block old = block;
  if (old.start != nullptr) {
    check(old, "before realloc");
    live_.erase(old.start);
    live_bytes_ -= old.usable;
    block = Block{};
  }
  void *start = op.kind == OpKind::kReallocarray ? hakmem_reallocarray(old.start, count, element)
                                                 : hakmem_realloc(old.start, size);
  // All bytes that the caller was told to be usable count as contents.
  const size_t kept = old.usable < size ? old.usable : size;
  if (start != nullptr && old.start != nullptr) {
    const size_t damage = first_damage(start, kept, old.usable, old.id);
    if (damage != kIntact)
      violate("%s(%p of %zu bytes, %zu) = %p lost byte %zu of %zu", name_of(op),
              static_cast<void *>(old.start), old.usable, size, start, damage, kept);
  }
  adopt(block, start, size, 0, op);
}

void Model::release(OpKind kind, Block &block) {
  if (block.start == nullptr) {
    hakmem_free(nullptr);
    return;
  }
  check(block, "before free");
  live_.erase(block.start);
  live_bytes_ -= block.usable;
  const size_t told = kind == OpKind::kFreeUsableSized ? block.usable : block.asked;
  if (kind == OpKind::kFree)
    hakmem_free(block.start);
  else if (block.alignment != 0)
    hakmem_free_aligned_sized(block.start, block.alignment, told);
  else
    hakmem_free_sized(block.start, told);
  block = Block{};
}

void Model::adopt(Block &block, void *start, size_t asked, size_t alignment, const Op &op) {
  if (start == nullptr) violate("%s of %zu bytes returned NULL", name_of(op), asked);
  const size_t promised = alignment > kMinAlignment ? alignment : kMinAlignment;
  if (reinterpret_cast<uintptr_t>(start) % promised != 0)
    violate("%s of %zu bytes = %p is not aligned to %zu", name_of(op), asked, start, promised);
  block = Block{static_cast<unsigned char *>(start), asked, hakmem_usable_size(start), alignment,
                next_id_++};
  if (block.usable < asked)
    violate("%s of %zu bytes = %p has only %zu usable bytes", name_of(op), asked, start,
            block.usable);

  const unsigned char *const end = block.start + block.usable;
  const auto next = live_.lower_bound(block.start);
  const Block *clash = nullptr;
  if (next != live_.end() && (next->first < end || next->first == block.start))
    clash = next->second;
  else if (next != live_.begin()) {
    const Block *previous = std::prev(next)->second;
    if (previous->start + previous->usable > block.start) clash = previous;
  }
  if (clash != nullptr) {
    const Block other = *clash;
    block = Block{};  // it is not ours alone: the destructor must not free it twice
    violate("%s of %zu bytes = %p overlaps the live block %p of %zu bytes", name_of(op), asked,
            start, static_cast<void *>(other.start), other.usable);
  }
  live_.emplace(block.start, &block);
  live_bytes_ += block.usable;
  fill_pattern(block.start, block.usable, block.id);
}

void Model::check(const Block &block, const char *when) const {
  const size_t usable = hakmem_usable_size(block.start);
  if (usable != block.usable)
    violate("usable size of %p changed from %zu to %zu (%s)", static_cast<void *>(block.start),
            block.usable, usable, when);
  const size_t damage = first_damage(block.start, block.usable, block.usable, block.id);
  if (damage != kIntact)
    violate("block %p of %zu bytes (asked %zu): byte %zu changed (%s)",
            static_cast<void *>(block.start), block.usable, block.asked, damage, when);
}

}  // namespace hakmem_test
